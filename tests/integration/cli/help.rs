//! Every help text, as it is printed at a hundred columns.

use crate::support::golden;

#[test]
fn every_help_text() {
    let mut command = portcullis::cli::command().term_width(100);
    command.build();
    help(&mut command, "portcullis");
}

fn help(command: &mut clap::Command, name: &str) {
    golden("help", name, &command.render_long_help().to_string());
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for sub in names.iter().filter(|sub| *sub != "help") {
        help(command.find_subcommand_mut(sub).unwrap(), &format!("{name}_{sub}"));
    }
}

#[test]
fn every_command_says_what_its_exit_status_means() {
    fn each(command: &mut clap::Command) {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Exit status: 0 "), "{help}");
        command.get_subcommands_mut().filter(|sub| sub.get_name() != "help").for_each(each);
    }
    each(&mut portcullis::cli::command());
}
