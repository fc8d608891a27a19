//! The commands in the order in which people meet them, for the main help.

use clap::Command;

/// Every command that is shown, by what it is for.
const GROUPS: &[(&str, &[&str])] = &[
    ("Begin", &["init", "schema"]),
    ("Review", &["check", "test", "matrix", "who-can", "explain", "compile", "lock"]),
    ("Run", &["serve", "login", "connect", "token", "user", "keys"]),
    ("Besides", &["demo-server", "completions", "man", "help"]),
];

/// The command line with its help in groups.
pub(super) fn command(command: Command) -> Command {
    let head = *command.get_styles().get_header();
    let word = *command.get_styles().get_literal();
    let mut text = String::new();
    let about = |name: &str| {
        let sub = command.get_subcommands().find(|sub| sub.get_name() == name);
        sub.and_then(Command::get_about)
            .map(ToString::to_string)
            .or_else(|| (name == "help").then(|| "Print this, or the help of a command".to_owned()))
    };
    for (group, names) in GROUPS {
        text.push_str(&format!("{head}{group}:{head:#}\n"));
        for (name, about) in names.iter().filter_map(|name| Some((name, about(name)?))) {
            text.push_str(&format!("  {word}{name:<13}{word:#} {about}\n"));
        }
        text.push('\n');
    }
    text.push_str(&format!("{head}Options:{head:#}\n"));
    let given = command.get_arguments().map(|argument| {
        let value = argument.get_value_names().and_then(|names| names.first()).map(|name| format!(" <{name}>"));
        (
            argument.get_long().unwrap_or_default().to_owned(),
            value.unwrap_or_default(),
            argument.get_help().map(ToString::to_string),
        )
    });
    let own = [("help", "Print help; of a command with `portcullis COMMAND --help`"), ("version", "Print version")];
    let own = own.map(|(name, help)| (name.to_owned(), String::new(), Some(help.to_owned())));
    for (name, value, help) in given.chain(own) {
        let pad = 16_usize.saturating_sub(name.len() + value.len() + 2);
        text.push_str(&format!("  {word}--{name}{word:#}{value}{:pad$}  {}\n", "", help.unwrap_or_default()));
    }
    let usage = format!("{{about}}\n\n{{usage-heading}} {{usage}}\n\n{text}{{after-help}}\n");
    command.help_template(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        grouped.sort_unstable();
        let whole = crate::cli::command();
        let mut shown: Vec<&str> =
            whole.get_subcommands().filter(|sub| !sub.is_hide_set()).map(Command::get_name).collect();
        shown.push("help");
        shown.sort_unstable();
        grouped.retain(|name| shown.contains(name));
        assert_eq!(grouped, shown);
    }
}
