//! Who may not decide an incident and why, and who else may: said before anybody clicks.

use cordon_core::incident::{Electorate, ShutOut};
use cordon_slack::blocks::Block;
use cordon_slack::text::{mention, plain, sentence};

use crate::card::Card;
use crate::layout::with_full_stop;

/// Those who are named; the rest is counted.
const NAMED: usize = 8;
const WHY: usize = 260;

impl Card<'_> {
    /// The approvers who may not decide, and a call to the others; nothing where all may.
    pub(crate) fn electorate_section(&self) -> Option<Block> {
        let electorate = self.incident.approval.electorate.as_ref()?;
        let mut lines = vec!["*Who may not decide this*".to_owned()];
        lines.extend(electorate.shut_out.iter().take(NAMED).map(|out| {
            let why = with_full_stop(&format!("{}: {}", out.name, out.why));
            format!("• {} {}", mention(&out.slack_id), sentence(&why, WHY))
        }));
        lines.extend(more(electorate.shut_out.len()).map(|more| format!("• and {more} more")));
        if let Some(hopeless) = &electorate.hopeless {
            lines.push(format!("🚨 *{}*", sentence(&with_full_stop(&capitalised(hopeless)), WHY)));
        }
        if !electorate.others.is_empty() {
            let others: Vec<String> = electorate.others.iter().take(NAMED).map(|other| mention(&other.slack_id)).collect();
            let more = more(electorate.others.len()).map(|more| format!(" and {more} more")).unwrap_or_default();
            lines.push(format!("The others may: {}{more}.", others.join(" ")));
        }
        Some(Block::Section(lines.join("\n")))
    }
}

/// The same in a notification.
pub(crate) fn spoken(electorate: &Electorate) -> String {
    let names: Vec<String> = electorate.shut_out.iter().take(NAMED).map(said).collect();
    let more = more(electorate.shut_out.len()).map(|more| format!(" and {more} more")).unwrap_or_default();
    let hopeless = electorate.hopeless.as_ref().map(|hopeless| format!(" {}.", capitalised(hopeless))).unwrap_or_default();
    format!(" May not decide: {}{more}.{hopeless}", names.join(", "))
}

fn said(out: &ShutOut) -> String {
    let name = plain(&out.name, 80);
    if out.may_approve { format!("{name} (but may approve)") } else { name }
}

fn more(people: usize) -> Option<usize> {
    people.checked_sub(NAMED).filter(|more| *more > 0)
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
