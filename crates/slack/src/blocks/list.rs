//! A titled list in one section: as many lines as its budget holds, and where to read the others.

use crate::text::units;

/// Room for "…and 12 more: …" under a list.
const MORE: usize = 140;

/// A section of lines; its strings are ready `mrkdwn`.
#[derive(Clone, Debug)]
pub struct List {
    /// The line above it.
    pub title: String,
    /// The lines. Each is shown whole or not at all.
    pub lines: Vec<String>,
    /// The most characters of the section, its title among them.
    pub budget: usize,
    /// Where all of the lines stand: a command.
    pub all_at: String,
    /// Whether it is shortened only after the lists that are not.
    pub kept: bool,
}

impl List {
    /// The section's text within so many percent of the budget. Lines are shown whole or not at all.
    pub(super) fn text(&self, percent: usize) -> String {
        let budget = self.budget.saturating_mul(percent) / 100;
        let mut text = self.title.clone();
        for (index, line) in self.lines.iter().enumerate() {
            if units(&text) + units(line) + 1 + MORE > budget {
                let left = self.lines.len() - index;
                let left = if index == 0 { format!("{left} in all") } else { format!("…and {left} more") };
                text.push_str(&format!("\n{left}: {}", self.all_at));
                break;
            }
            text.push('\n');
            text.push_str(line);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_whole_lines_and_counts_the_others() {
        let list = List {
            title: "*Calls*".into(),
            lines: ["first", "second", "third"].map(|line| format!("{line} {}", "x".repeat(90))).to_vec(),
            budget: 400,
            all_at: "`show`".into(),
            kept: false,
        };
        let x = "x".repeat(90);
        assert_eq!(list.text(100), format!("*Calls*\nfirst {x}\nsecond {x}\n…and 1 more: `show`"));
        assert_eq!(list.text(70), format!("*Calls*\nfirst {x}\n…and 2 more: `show`"));
        assert_eq!(list.text(0), "*Calls*\n3 in all: `show`");
        let roomy = List { budget: 1_000, ..list };
        assert_eq!(roomy.text(100), format!("*Calls*\nfirst {x}\nsecond {x}\nthird {x}"));
    }
}
