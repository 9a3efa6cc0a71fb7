//! The parts that every card is put together from: headline, facts, lists, the buttons, the last line.
//!
//! Each part has a budget in characters. Their sum stays below [`MAX_MESSAGE`], a limit of our own: Slack refuses a message whose blocks
//! are too long together, and does not publish from where on.

use jiff::Timestamp;

use super::{Card, Message};
use crate::blocks::{Block, Button, Confirm, MAX_CONFIRM_TEXT, MAX_HEADER, MAX_VALUE, Style};
use crate::text::{code, link, plain, sentence, unformatted, units};
use crate::{APPROVE, DENY};

/// The most characters that the blocks of one card hold together.
#[cfg(test)]
pub(super) const MAX_MESSAGE: usize = 13_000;

const LEAD: usize = 800;
const VALUE: usize = 250;
const AGENT: usize = 200;
const REQUEST: usize = 700;
const WHY: usize = 1_000;
/// A deny policy's document is in one of the calls, and is shown whole.
pub(super) const CALL: usize = 2_200;
pub(super) const CALLS: usize = 2_700;
const UNDO: usize = 1_200;
const BY_HAND: usize = 1_200;
const NOTES: usize = 1_200;
const EXCEPTIONS: usize = 800;
const SENTENCE: usize = 600;
/// Room for "…and 12 more: …" under a list.
const MORE: usize = 140;
const NOTIFICATION: usize = 1_200;
const RULES_NAMED: usize = 3;

impl Card {
    /// Headline, lead, facts, why: the beginning of every card. `lead` is ready `mrkdwn`.
    pub(super) fn opening(&self, lead: String) -> Vec<Block> {
        let mut blocks = vec![Block::Header(self.headline()), Block::Section(lead), Block::Fields(self.facts())];
        if let Some(request) = self.request.as_deref().filter(|request| !request.trim().is_empty()) {
            blocks.push(Block::Section(format!("*Request*\n{}", code(request, REQUEST))));
        }
        blocks.extend(self.section("Why it is dangerous", bullets(&self.why), WHY));
        blocks
    }

    /// The exact calls, under the given title.
    pub(super) fn calls_section(&self, title: &str) -> Option<Block> {
        self.section(title, numbered(&self.calls), CALLS)
    }

    pub(super) fn undo_section(&self, title: &str) -> Option<Block> {
        self.section(title, numbered(&self.undo), UNDO)
    }

    pub(super) fn notes_section(&self) -> Option<Block> {
        self.section("To know about them", bullets(&self.notes), NOTES)
    }

    pub(super) fn by_hand_section(&self) -> Option<Block> {
        self.section("By hand, because Cordon cannot", bullets(&self.by_hand), BY_HAND)
    }

    pub(super) fn exceptions_section(&self) -> Option<Block> {
        self.section("Exceptions looked at", bullets(&self.exceptions_checked), EXCEPTIONS)
    }

    /// A list as one section; nothing for an empty one. Lines that do not fit are counted, and the reader told where they are.
    pub(super) fn section(&self, title: &str, lines: Vec<String>, budget: usize) -> Option<Block> {
        if lines.is_empty() {
            return None;
        }
        let mut text = format!("*{title}*");
        for (index, line) in lines.iter().enumerate() {
            if units(&text) + units(line) + 1 + MORE > budget {
                let left = lines.len() - index;
                text.push_str(&format!("\n…and {left} more: {}", self.command("show")));
                break;
            }
            text.push('\n');
            text.push_str(line);
        }
        Some(Block::Section(text))
    }

    pub(super) fn headline(&self) -> String {
        let title = self.rules.first().map_or("", |rule| rule.title.trim());
        let title = if title.is_empty() { "an event that needs a look" } else { title };
        plain(&format!("{} {}: {title}", self.severity.marker(), self.severity), MAX_HEADER)
    }

    /// At most eight of the ten fields that Slack takes.
    fn facts(&self) -> Vec<String> {
        let mut facts = vec![fact("Who", &self.actor), fact("Did what", &self.event_name), fact("To whom", &self.subject)];
        facts.extend(self.policy_arn.as_deref().map(|policy| fact("Policy", policy)));
        facts.push(fact("From", self.source_ip.as_deref().unwrap_or_default()));
        facts.push(fact("When", &self.event_time.map(utc).unwrap_or_default()));
        facts.push(fact("Account", &self.account));
        facts.extend(self.user_agent.as_deref().map(|agent| format!("*With*\n{}", code(agent, AGENT))));
        facts
    }

    /// Approve and Deny, each behind a dialog that says what the click does.
    pub(super) fn buttons(&self) -> Block {
        let count = counted(self.calls.len(), "call", "calls");
        let subject = plain(&self.subject, 120);
        let approve = Confirm {
            title: "Approve this containment?".into(),
            text: plain(&format!("Cordon makes the {count} listed on the card. Subject: {subject}"), MAX_CONFIRM_TEXT),
            confirm: "Approve".into(),
            deny: "Go back".into(),
            style: Style::Primary,
        };
        let deny = Confirm {
            title: "Deny, and change nothing?".into(),
            text: plain(
                &format!("What was done stays as it is, and the incident is closed. Subject: {subject}"),
                MAX_CONFIRM_TEXT,
            ),
            confirm: "Deny".into(),
            deny: "Go back".into(),
            style: Style::Danger,
        };
        // Green for Approve: a containment that was not needed is undone, an attacker who was let go is not.
        Block::Actions(vec![
            self.button(APPROVE, "Approve", Style::Primary, approve),
            self.button(DENY, "Deny", Style::Plain, deny),
        ])
    }

    fn button(&self, action_id: &'static str, text: &str, style: Style, confirm: Confirm) -> Button {
        Button { action_id, text: text.into(), value: plain(&self.incident, MAX_VALUE), style, confirm: Some(confirm) }
    }

    /// Rules with their authors, the decision, the incident's id and where to see more: the last line of every card.
    pub(super) fn footer(&self) -> Block {
        let mut elements: Vec<String> = self.rules.iter().take(RULES_NAMED).map(rule_line).collect();
        if let Some(more) = self.rules.len().checked_sub(RULES_NAMED).filter(|more| *more > 0) {
            elements.push(format!("and {}", counted(more, "more rule", "more rules")));
        }
        let yes = |holds| if holds { "yes" } else { "no" };
        elements.push(format!(
            "Decision: {} (approved_for_remediation: {}, dry_run: {})",
            sentence(&self.decision_reason, 300),
            yes(self.approved_for_remediation),
            yes(self.dry_run),
        ));
        elements.push(format!("Incident {}", code(&self.incident, 80)));
        elements.extend(self.execution_url.as_deref().map(|url| link(url, "Open the execution")));
        Block::Context(elements)
    }

    /// The whole news in sentences: the headline, what became of it, who did what, the incident's id.
    fn fallback(&self, news: &str) -> String {
        let part = |words: &str, value: Option<&str>| match value.map(str::trim) {
            None | Some("") => String::new(),
            Some(value) => format!("{words} {}", plain(value, VALUE)),
        };
        let said = format!(
            "{} {news} {} called {} on {}{}{}{}{}. Incident {}.",
            with_full_stop(&self.headline()),
            known(&self.actor),
            known(&self.event_name),
            known(&self.subject),
            part(" with", self.policy_arn.as_deref()),
            part(" in account", Some(&self.account)),
            part(" from", self.source_ip.as_deref()),
            part(" at", self.event_time.map(utc).as_deref()),
            plain(&self.incident, 80),
        );
        unformatted(&said, NOTIFICATION)
    }

    /// A command of the `cordon` tool on this incident, to be copied.
    pub(super) fn command(&self, verb: &str) -> String {
        code(&format!("cordon incident {verb} {}", self.incident), 110)
    }

    /// The message: `news` is for the fallback, one or two sentences.
    pub(super) fn message(&self, news: &str, blocks: Vec<Block>) -> Message {
        Message { text: self.fallback(news), blocks: blocks.iter().map(Block::to_value).collect() }
    }
}

/// The line at the top of a card: a bold beginning by this crate, then prose that may hold an attacker's text.
pub(super) fn lead(bold: &str, prose: &str) -> String {
    let prose = sentence(prose, LEAD);
    if prose.is_empty() { format!("*{bold}*") } else { format!("*{bold}* {prose}") }
}

pub(super) fn bullets(sentences: &[String]) -> Vec<String> {
    sentences.iter().map(|text| format!("• {}", sentence(text, SENTENCE))).collect()
}

fn numbered(calls: &[String]) -> Vec<String> {
    calls.iter().zip(1..).map(|(call, number)| format!("{number}. {}", code(call, CALL))).collect()
}

fn fact(name: &str, value: &str) -> String {
    format!("*{name}*\n{}", code(known(value), VALUE))
}

fn known(value: &str) -> &str {
    if value.trim().is_empty() { "not in the event" } else { value }
}

fn rule_line(rule: &super::RuleLine) -> String {
    let author = if rule.author.trim().is_empty() { "an unnamed author" } else { &rule.author };
    format!("Rule: {}, by {}", sentence(&rule.title, 150), sentence(author, 80))
}

/// To the second and in CloudTrail's own zone, so that it can be searched for as it stands.
pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time that Slack shows in the reader's own zone; others show it in UTC.
pub(super) fn local(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{}>", at.as_second(), utc(at))
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(super) fn with_full_stop(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}
