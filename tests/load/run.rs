//! The order of a measurement: start, rest, drive, rest; direct and through in turns, so that whatever
//! else the machine does meets both alike.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{
    drive::{self, Driven, Until},
    http::Target,
    process::Process,
    report::{Cell, Report, Side, median},
    setting::{Setting, Upstream},
};

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The gateway's binary, built with `--release`
    #[arg(default_value = "target/release/portcullis")]
    binary: PathBuf,
    /// Seconds of each turn
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Turns of each measurement, of which the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// More of the configuration: a file with sections that it has not, as `validation:` or `rates:`
    #[arg(long)]
    with: Option<PathBuf>,
    /// Speak the version of 2026-07-28 instead of that of 2025-11-25
    #[arg(long)]
    modern: bool,
    /// Also write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures and prints.
#[expect(clippy::disallowed_methods, reason = "a file for the gateway, which reads it itself")]
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let binary = args.binary.canonicalize()?;
    let more = args.with.as_ref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    let setting = Setting::new(&binary, &more)?;
    let mut starts = Vec::new();
    for _ in 0..7 {
        let (process, started) = setting.gateway()?;
        drop(process);
        starts.push(started);
    }
    let (gateway, _) = setting.gateway()?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = gateway.memory()?;
    let through = if args.modern { setting.through()? } else { setting.through()?.opened()? };
    let mut cells = Vec::new();
    for (name, upstream) in [("node", &setting.node), ("rust", &setting.rust)] {
        for &connections in &args.connections {
            cells.push(cell(args, &gateway, name, upstream, &through, connections)?);
        }
    }
    let after = gateway.memory()?;
    drive::drive(&through, &drive::list(), 1, Until::Calls(20))?;
    let before = gateway.cpu()?;
    let list = checked(drive::drive(&through, &drive::list(), 1, Until::Calls(500))?)?;
    let list_cpu = per_call(gateway.cpu()?.saturating_sub(before), &list);
    let check = |servers, times: usize| -> anyhow::Result<f64> {
        Ok(median((0..times).map(|_| setting.check(servers).map(millis)).collect::<Result<_, _>>()?))
    };
    let report = Report {
        era: if args.modern { "2026-07-28" } else { "2025-11-25" },
        start_to_answer_ms: median(starts.iter().map(|start| millis(start.answer)).collect()),
        start_to_call_ms: median(starts.iter().map(|start| millis(start.call)).collect()),
        idle_kib: idle.now,
        after_load_kib: after.now,
        peak_kib: after.peak,
        list_1000_p50_us: list.p50_us,
        list_1000_cpu_us: list_cpu,
        check_100_ms: check(100, 9)?,
        check_1000_ms: check(1000, 3)?,
        cells,
    };
    println!("{report}");
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

/// One upstream at one number of connections, directly and through the gateway in turns.
fn cell(
    args: &RunArgs,
    gateway: &Process,
    name: &'static str,
    upstream: &Upstream,
    through: &Target,
    connections: usize,
) -> anyhow::Result<Cell> {
    let (own, prefixed) = (drive::call("echo", args.modern), drive::call(&format!("{name}__echo"), args.modern));
    let turn = Until::After(Duration::from_secs_f64(args.seconds.clamp(0.1, 60.0)));
    let direct = upstream.target();
    for (target, ask) in [(&direct, &own), (through, &prefixed)] {
        drive::drive(target, ask, connections, Until::After(Duration::from_millis(300)))?;
    }
    let (mut directly, mut throughly) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds.clamp(1, 20) {
        for (target, ask, sides) in [(&direct, &own, &mut directly), (through, &prefixed, &mut throughly)] {
            let (gateway_before, upstream_before) = (gateway.cpu()?, upstream.process.cpu()?);
            let driven = checked(drive::drive(target, ask, connections, turn)?)?;
            let gateway_cpu_us = per_call(gateway.cpu()?.saturating_sub(gateway_before), &driven);
            let upstream_cpu_us = per_call(upstream.process.cpu()?.saturating_sub(upstream_before), &driven);
            sides.push(Side { driven, gateway_cpu_us, upstream_cpu_us });
        }
    }
    Ok(Cell { upstream: name, connections, direct: Side::middle(&directly), through: Side::middle(&throughly) })
}

/// Figures of calls that failed are no figures.
fn checked(driven: Driven) -> anyhow::Result<Driven> {
    anyhow::ensure!(driven.errors == 0 && driven.calls > 0, "calls failed: {driven}");
    Ok(driven)
}

fn per_call(time: Duration, driven: &Driven) -> f64 {
    time.as_secs_f64() * 1e6 / driven.calls.max(1) as f64
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
