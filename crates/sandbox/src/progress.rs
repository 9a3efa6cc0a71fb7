//! Reports the steps of a start with their times, on standard error: spinners on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

#[derive(Debug, Clone)]
enum Out {
    Quiet,
    Lines,
    Bars(MultiProgress),
}

/// Hands out the steps of one start.
#[derive(Debug, Clone)]
pub struct Progress {
    out: Out,
}

impl Progress {
    /// Prints nothing if `quiet`; else spinners where standard error is a terminal, plain lines elsewhere.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let out = if quiet {
            Out::Quiet
        } else {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            if bars.is_hidden() { Out::Lines } else { Out::Bars(bars) }
        };
        Self { out }
    }

    /// Begins a step. Unless it is told that it is done, it ends as failed.
    #[must_use]
    pub fn step(&self, title: &str) -> Step {
        let bar = match &self.out {
            Out::Quiet => None,
            Out::Lines => {
                eprintln!("… {title}");
                None
            }
            Out::Bars(bars) => {
                let bar = bars.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix}  {elapsed:.dim}  {wide_msg:.dim}") {
                    bar.set_style(style);
                }
                bar.set_prefix(title.to_owned());
                bar.enable_steady_tick(Duration::from_millis(90));
                Some(bar)
            }
        };
        Step { title: title.to_owned(), began: Instant::now(), bar, out: self.out.clone(), ended: false }
    }
}

/// One step under way.
#[derive(Debug)]
pub struct Step {
    title: String,
    began: Instant,
    bar: Option<ProgressBar>,
    out: Out,
    ended: bool,
}

impl Step {
    /// What it is doing right now; shown on a terminal only.
    pub fn note(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.trim().to_owned());
        }
    }

    /// Ends as done. `detail` follows the time on the step's line; an empty one adds nothing.
    pub fn done(mut self, detail: &str) {
        self.end("✓", detail);
    }

    /// Ends as failed, with the reason; what was to be done is done in another way.
    pub fn failed(mut self, detail: &str) {
        self.end("✗", detail);
    }

    fn end(&mut self, mark: &str, detail: &str) {
        self.ended = true;
        let detail = if detail.is_empty() { String::new() } else { format!("  {detail}") };
        let line = format!("{mark} {:<44} {:>8}{detail}", self.title, seconds(self.began.elapsed()));
        match (&self.out, self.bar.take()) {
            (Out::Quiet, _) => {}
            (Out::Bars(bars), Some(bar)) => {
                bar.finish_and_clear();
                // Nothing depends on the terminal taking the line.
                let _ = bars.println(line);
            }
            _ => eprintln!("{line}"),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.ended {
            self.end("✗", "");
        }
    }
}

/// `0.4 s`, `12.3 s`, `2 min 05 s`
pub(crate) fn seconds(duration: Duration) -> String {
    let all = duration.as_secs_f64();
    if all < 100.0 { format!("{all:.1} s") } else { format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_have_a_unit() {
        assert_eq!(seconds(Duration::from_millis(420)), "0.4 s");
        assert_eq!(seconds(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
