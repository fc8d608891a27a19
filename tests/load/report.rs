//! What was measured, as a table for people and JSON for scripts.

use std::fmt;

use serde::Serialize;

use super::drive::Driven;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) era: &'static str,
    pub(crate) start_to_answer_ms: f64,
    pub(crate) start_to_call_ms: f64,
    pub(crate) idle_kib: u64,
    pub(crate) after_load_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) list_1000_p50_us: f64,
    pub(crate) list_1000_cpu_us: f64,
    pub(crate) check_100_ms: f64,
    pub(crate) check_1000_ms: f64,
    pub(crate) cells: Vec<Cell>,
}

/// One upstream at one number of connections.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) upstream: &'static str,
    pub(crate) connections: usize,
    pub(crate) direct: Side,
    pub(crate) through: Side,
}

/// One way to the upstream.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Side {
    #[serde(flatten)]
    pub(crate) driven: Driven,
    pub(crate) gateway_cpu_us: f64,
    pub(crate) upstream_cpu_us: f64,
}

impl Side {
    /// The medians of several turns.
    pub(crate) fn middle(turns: &[Self]) -> Self {
        let of = |figure: &dyn Fn(&Self) -> f64| median(turns.iter().map(figure).collect());
        Self {
            driven: Driven {
                connections: turns.first().map_or(0, |turn| turn.driven.connections),
                calls: turns.iter().map(|turn| turn.driven.calls).sum(),
                errors: turns.iter().map(|turn| turn.driven.errors).sum(),
                per_second: of(&|turn| turn.driven.per_second),
                p50_us: of(&|turn| turn.driven.p50_us),
                p99_us: of(&|turn| turn.driven.p99_us),
                first_error: None,
            },
            gateway_cpu_us: of(&|turn| turn.gateway_cpu_us),
            upstream_cpu_us: of(&|turn| turn.upstream_cpu_us),
        }
    }
}

/// The middle one; of an even number, the upper of two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { era, cells, .. } = self;
        writeln!(f, "tools/call in {era}, medians; CPU in µs a call\n")?;
        writeln!(
            f,
            "upstream  conns   direct/s  through/s  share  p50 direct  p50 through   added  p99 through  gateway CPU  upstream CPU  ratio"
        )?;
        for Cell { upstream, connections, direct, through } in cells {
            let (there, here) = (&direct.driven, &through.driven);
            writeln!(
                f,
                "{upstream:8}  {connections:5}  {:9.0}  {:9.0}  {:4.0}%  {:10.0}  {:11.0}  {:6.0}  {:11.0}  {:11.1}  {:12.1}  {:5.2}",
                there.per_second,
                here.per_second,
                here.per_second / there.per_second * 100.0,
                there.p50_us,
                here.p50_us,
                here.p50_us - there.p50_us,
                here.p99_us,
                through.gateway_cpu_us,
                direct.upstream_cpu_us,
                through.gateway_cpu_us / direct.upstream_cpu_us,
            )?;
        }
        let mib = |kib: u64| kib as f64 / 1024.0;
        writeln!(f)?;
        writeln!(
            f,
            "start to first answer, 3 HTTP servers   {:7.1} ms   to first call {:.1} ms",
            self.start_to_answer_ms, self.start_to_call_ms
        )?;
        writeln!(
            f,
            "memory idle / after load / peak         {:7.1} / {:.1} / {:.1} MiB",
            mib(self.idle_kib),
            mib(self.after_load_kib),
            mib(self.peak_kib)
        )?;
        writeln!(
            f,
            "tools/list of 1,000 tools, warm         {:7.0} µs   CPU {:.0} µs",
            self.list_1000_p50_us, self.list_1000_cpu_us
        )?;
        write!(f, "check of 100 / 1,000 servers            {:7.1} / {:.1} ms", self.check_100_ms, self.check_1000_ms)
    }
}
