//! The parts that every card is put together from: headline, facts, lists, the buttons, the last line.
//!
//! Each part has a budget in characters. Where a card is too long as a whole, its lists are shortened, the calls last: a reader is then
//! told which command prints all of it.

use jiff::Timestamp;

use super::{Card, Merged, Message};
use crate::blocks::{Block, Button, Confirm, List, MAX_CONFIRM_TEXT, MAX_HEADER, MAX_WEIGHT, Style, weight};
use crate::text::{code, link, plain, sentence, unformatted};
use crate::{APPROVE, BREAK_GLASS, DENY, LOOKING, UNDO as UNDO_ID};

/// Incidents' ids are a third of it.
const INCIDENT: usize = 80;
const LEAD: usize = 600;
const VALUE: usize = 190;
const AGENT: usize = 190;
const REQUEST: usize = 500;
const WHY: usize = 800;
const STATEMENT: usize = 500;
const STATEMENTS: usize = 660;
const REACH: usize = 700;
/// A deny policy's document is in one of the calls, and is shown whole.
pub(super) const CALL: usize = 2_200;
pub(super) const CALLS: usize = 2_700;
const UNDO: usize = 900;
const CANNOT_UNDO: usize = 500;
const BY_HAND: usize = 900;
const NOTES: usize = 700;
const EXCEPTIONS: usize = 700;
const SENTENCE: usize = 600;
const NOTIFICATION: usize = 1_200;
const RULES_NAMED: usize = 3;
/// What lists keep of their budgets, in percent, and what the calls do: the first that makes a card short enough is taken.
const SHARES: [(usize, usize); 6] = [(100, 100), (60, 100), (30, 100), (0, 100), (0, 50), (0, 0)];

impl Card {
    /// Headline, lead, facts, why: the beginning of every card. `lead` is ready `mrkdwn`.
    pub(super) fn opening(&self, lead: String) -> Vec<Block> {
        let mut blocks = vec![Block::Header(self.headline()), Block::Section(lead), Block::Fields(self.facts())];
        blocks.extend(self.merged.as_ref().map(|merged| Block::Context(vec![merged.line()])));
        if let Some(request) = self.request.as_deref().filter(|request| !request.trim().is_empty()) {
            blocks.push(Block::Section(format!("*Request*\n{}", code(request, REQUEST))));
        }
        blocks.extend(self.section("Why it is dangerous", bullets(&self.why), WHY));
        let statements = self.statements.iter().map(|statement| code(statement, STATEMENT)).collect();
        blocks.extend(self.section("The policy's dangerous statement", statements, STATEMENTS));
        blocks
    }

    /// The exact calls, under the given title.
    pub(super) fn calls_section(&self, title: &str) -> Option<Block> {
        self.section(title, numbered(&self.calls), CALLS).map(Block::kept)
    }

    /// The undoing calls, and what no call takes back.
    pub(super) fn undo_section(&self, title: &str) -> Vec<Block> {
        let calls = self.section(title, numbered(&self.undo), UNDO);
        let lost = self.section("What cannot be undone", bullets(&self.cannot_undo), CANNOT_UNDO);
        calls.into_iter().chain(lost).collect()
    }

    /// What the credentials reach: read before deciding, of no use after.
    pub(super) fn reach_section(&self) -> Option<Block> {
        self.section("What these credentials reach", bullets(&self.reach), REACH)
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
        let list = List { title: format!("*{title}*"), lines, budget, all_at: self.command("show"), kept: false };
        (!list.lines.is_empty()).then_some(Block::List(list))
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
        facts.push(self.when());
        facts.push(fact("Account", &self.account));
        facts.extend(self.user_agent.as_deref().map(|agent| format!("*With*\n{}", code(agent, AGENT))));
        facts
    }

    /// To be searched for as it stands, and how long ago that is.
    fn when(&self) -> String {
        let Some(at) = self.event_time else { return fact("When", "") };
        let delay = self.detected.map(|detected| format!("seen {} later", took(at, detected)));
        let said = delay.unwrap_or_else(|| utc(at));
        format!("{}\n<!date^{}^{{ago}}|{said}>", fact("When", &utc(at)), at.as_second())
    }

    /// Approve and Deny, each behind a dialog that says what the click does. Break glass needs none: it opens the dialog that asks
    /// for the reason, and stands last, away from Approve.
    pub(super) fn buttons(&self, break_glass: bool) -> Block {
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
        let mut buttons = vec![
            self.button(APPROVE, "Approve", Style::Primary, Some(approve)),
            self.button(DENY, "Deny", Style::Plain, Some(deny)),
            self.button(LOOKING, "I'm looking", Style::Plain, None),
        ];
        buttons.extend(break_glass.then(|| self.button(BREAK_GLASS, "Break glass", Style::Danger, None)));
        Block::Actions(buttons)
    }

    /// Takes the changes back, behind a dialog.
    pub(super) fn undo_button(&self) -> Block {
        let count = counted(self.undo.len(), "call", "calls");
        let confirm = Confirm {
            title: "Undo the changes?".into(),
            text: plain(
                &format!("Cordon makes the {count} listed below \"To undo\". Subject: {}", plain(&self.subject, 120)),
                MAX_CONFIRM_TEXT,
            ),
            confirm: "Undo".into(),
            deny: "Go back".into(),
            style: Style::Danger,
        };
        Block::Actions(vec![self.button(UNDO_ID, "Undo", Style::Danger, Some(confirm))])
    }

    fn button(&self, action_id: &'static str, text: &str, style: Style, confirm: Option<Confirm>) -> Button {
        Button { action_id, text: text.into(), value: plain(&self.incident, INCIDENT), style, confirm }
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
        elements.push(format!("Incident {}", code(&self.incident, INCIDENT)));
        elements.extend(self.execution_url.as_deref().map(|url| link(url, "Open the execution")));
        elements.extend(self.event_url.as_deref().map(|url| link(url, "Open the event in CloudTrail")));
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
            plain(&self.incident, INCIDENT),
        );
        unformatted(&said, NOTIFICATION)
    }

    /// Which incident a message without a card is about.
    pub(super) fn named(&self) -> String {
        format!("{} Incident {}", self.severity.marker(), code(&self.incident, INCIDENT))
    }

    /// The same where nothing is formatted.
    pub(super) fn spoken_name(&self) -> String {
        format!("Incident {}.", plain(&self.incident, INCIDENT))
    }

    /// A command of the `cordon` tool on this incident, to be copied.
    pub(super) fn command(&self, verb: &str) -> String {
        code(&format!("cordon incident {verb} {}", self.incident), 110)
    }

    /// The message, with its lists shortened as far as Slack's limit on the whole makes it necessary. `news` is for the fallback, one
    /// or two sentences.
    pub(super) fn message(&self, news: &str, blocks: Vec<Block>) -> Message {
        let mut values = Vec::new();
        for (lists, kept) in SHARES {
            let share = |block: &Block| if block.is_kept() { kept } else { lists };
            values = blocks.iter().map(|block| block.to_value_of(share(block))).collect();
            if weight(&values) <= MAX_WEIGHT {
                break;
            }
        }
        Message { text: self.fallback(news), blocks: values }
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

/// The time between, in the units that a person would use. Clocks differ: what seems to run backwards counts as nothing.
pub(super) fn took(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
    let seconds = milliseconds / 1_000;
    match seconds {
        0..10 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

impl Merged {
    /// "3 further events of this case; the newest: …".
    fn line(&self) -> String {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let mut said = format!("➕ {} of this case", counted(count, "further event", "further events"));
        if let Some(name) = &self.event_name {
            said.push_str(&format!("; the newest: {}", code(name, 80)));
            said.extend(self.time.map(|at| format!(" at {}", utc(at))));
            said.extend(self.source_ip.as_deref().map(|ip| format!(" from {}", code(ip, 60))));
        }
        said
    }
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
