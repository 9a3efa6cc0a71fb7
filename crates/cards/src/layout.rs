//! The parts of every card: headline, facts, lists, buttons, last line.
//!
//! Each part has a budget in characters. If a card is too long as a whole, its lists are shortened, the calls last. The card then
//! names the command that prints all of it.

use cordon_core::incident::MergedCalls;
use cordon_core::{Detection, redact};
use cordon_slack::Message;
use cordon_slack::blocks::{self, Block, Confirm, List, MAX_CONFIRM_TEXT, MAX_HEADER, MAX_WEIGHT, Style, weight};
use cordon_slack::text::{code, link, plain, sentence, unformatted};
use jiff::Timestamp;

use crate::card::Card;
use crate::press::Button;

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
pub(crate) const CALL: usize = 2_200;
pub(crate) const CALLS: usize = 2_700;
const UNDO: usize = 900;
const CANNOT_UNDO: usize = 500;
const BY_HAND: usize = 900;
const NOTES: usize = 700;
const STAYS: usize = 900;
const EXCEPTIONS: usize = 700;
const SENTENCE: usize = 600;
const NOTIFICATION: usize = 1_200;
const RULES_NAMED: usize = 3;
const CALLS_NAMED: usize = 5;
const HIDDEN: &str = "A value in these calls looks like a secret and is shown as `[redacted]`; the call is made with the value itself. \
                      Before you approve, read it in IAM.";
/// What lists keep of their budgets, in percent, and what the calls do: the first that makes a card short enough is taken.
const SHARES: [(usize, usize); 6] = [(100, 100), (60, 100), (30, 100), (0, 100), (0, 50), (0, 0)];

impl Card<'_> {
    /// Headline, lead, facts, why: the beginning of every card. `lead` is ready `mrkdwn`.
    pub(crate) fn opening(&self, lead: String) -> Vec<Block> {
        let mut blocks = vec![Block::Header(self.headline()), Block::Section(lead), Block::Fields(self.facts())];
        blocks.extend(self.merged_line().map(|line| Block::Context(vec![line])));
        let request = &self.incident.event.parameters;
        if !request.trim().is_empty() {
            blocks.push(Block::Section(format!("*Request*\n{}", code(request, REQUEST))));
        }
        blocks.extend(self.section("Why it is dangerous", bullets(&self.why()), WHY));
        let statements = self.incident.statements.iter().map(|statement| code(statement, STATEMENT)).collect();
        blocks.extend(self.section("The policy's dangerous statement", statements, STATEMENTS));
        blocks
    }

    /// The exact calls, under the given title.
    pub(crate) fn calls_section(&self, title: &str) -> Option<Block> {
        self.section(title, numbered(&self.incident.assessment.plan.calls()), CALLS).map(Block::kept)
    }

    /// The undoing calls, and what no call takes back.
    pub(crate) fn undo_section(&self, title: &str) -> Vec<Block> {
        let calls = self.section(title, numbered(&self.incident.assessment.plan.undo()), UNDO);
        let lost = self.section("What cannot be undone", bullets(&self.cannot_undo()), CANNOT_UNDO);
        calls.into_iter().chain(lost).collect()
    }

    /// What the credentials reach: read before deciding, of no use after.
    pub(crate) fn reach_section(&self) -> Option<Block> {
        self.section("What these credentials reach", bullets(&self.reach()), REACH)
    }

    pub(crate) fn notes_section(&self) -> Option<Block> {
        let plan = &self.incident.assessment.plan;
        let hides = plan.calls().iter().chain(&plan.undo()).any(|call| redact::text(call) != call.as_str());
        let hidden = hides.then(|| HIDDEN.to_owned());
        let notes: Vec<String> = plan.notes().into_iter().chain(hidden).collect();
        self.section("To know about them", bullets(&notes), NOTES)
    }

    /// What approving does not stop, or what stays at the end. Kept as long as the calls are: nobody may read one without the other.
    pub(crate) fn stays_section(&self, title: &str) -> Option<Block> {
        self.section(title, bullets(&self.stays()), STAYS).map(Block::kept)
    }

    pub(crate) fn by_hand_section(&self) -> Option<Block> {
        let assessment = &self.incident.assessment;
        let left: Vec<String> = assessment.remaining.iter().chain(&assessment.plan.by_hand).cloned().collect();
        self.section("By hand, because Cordon cannot", bullets(&left), BY_HAND)
    }

    pub(crate) fn exceptions_section(&self) -> Option<Block> {
        self.section("Exceptions looked at", bullets(&self.incident.assessment.exceptions_checked), EXCEPTIONS)
    }

    /// A list as one section; nothing for an empty one. Lines that do not fit are counted, and the reader told where they are.
    pub(crate) fn section(&self, title: &str, lines: Vec<String>, budget: usize) -> Option<Block> {
        let list = List { title: format!("*{title}*"), lines, budget, all_at: self.command("show"), kept: false };
        (!list.lines.is_empty()).then_some(Block::List(list))
    }

    pub(crate) fn headline(&self) -> String {
        let title = self.incident.primary_rule().map_or("", |rule| rule.title.trim());
        let title = if title.is_empty() { "an event that needs a look" } else { title };
        let (colour, word) = self.severity();
        plain(&format!("{colour} {word}: {title}"), MAX_HEADER)
    }

    /// At most eight of the ten fields that Slack takes.
    fn facts(&self) -> Vec<String> {
        let event = &self.incident.event;
        let (actor, subject) = (self.incident.actor.display(), self.incident.subject.to_string());
        let mut facts = vec![fact("Who", &actor), fact("Did what", &event.name), fact("To whom", &subject)];
        facts.extend(event.policy_arn.as_deref().map(|policy| fact("Policy", policy)));
        facts.push(fact("From", event.source_ip.as_deref().unwrap_or_default()));
        facts.push(self.when());
        facts.push(fact("Account", self.account()));
        facts.extend(event.user_agent.as_deref().map(|agent| format!("*With*\n{}", code(agent, AGENT))));
        facts
    }

    /// "3 further events of this case: `PutRolePolicy` ×3, from … to …; the newest: …".
    fn merged_line(&self) -> Option<String> {
        let count = usize::try_from(self.incident.merges.merged).unwrap_or(usize::MAX);
        if count == 0 {
            return None;
        }
        let mut said = format!("➕ {} of this case", counted(count, "further event", "further events"));
        let calls: Vec<String> = self.incident.merges.merged_calls.iter().take(CALLS_NAMED).map(merged_calls).collect();
        if !calls.is_empty() {
            let named = self.incident.merges.merged_calls.iter().take(CALLS_NAMED).map(|calls| calls.count);
            let others = self.incident.merges.merged.saturating_sub(named.fold(0, u32::saturating_add));
            said.push_str(&format!(": {}", calls.join(", ")));
            said.extend((others > 0).then(|| format!(", and {others} others (`cordon incident show` lists them)")));
        }
        if let Some(newest) = &self.incident.merges.last_merged {
            said.push_str(&format!("; the newest: {}", code(&newest.name, 80)));
            said.extend(newest.time.map(|at| format!(" at {}", utc(at))));
            said.extend(newest.source_ip.as_deref().map(|ip| format!(" from {}", code(ip, 60))));
        }
        Some(said)
    }

    /// To be searched for as it stands, and how long ago that is.
    fn when(&self) -> String {
        let Some(at) = self.incident.event.time else { return fact("When", "") };
        let delay = took(at, self.incident.opened_at);
        format!("{}\n<!date^{}^{{ago}}|seen {delay} later>", fact("When", &utc(at)), at.as_second())
    }

    /// Approve and Deny, each behind a dialog that says what the click does. Break glass needs none: it opens the dialog that asks
    /// for the reason, and stands last, away from Approve.
    pub(crate) fn buttons(&self, break_glass: bool, stopped: bool) -> Block {
        let count = counted(self.incident.assessment.plan.calls().len(), "call", "calls");
        let subject = plain(&self.incident.subject.to_string(), 120);
        let approve = Confirm {
            title: "Approve this containment?".into(),
            text: plain(
                &format!(
                    "{} Subject: {subject}",
                    if stopped {
                        format!("Enforcement is stopped. Cordon makes the {count} listed on the card after `cordon resume`.")
                    } else {
                        format!("Cordon makes the {count} listed on the card.")
                    }
                ),
                MAX_CONFIRM_TEXT,
            ),
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
            self.button(Button::Approve, "Approve", Style::Primary, Some(approve)),
            self.button(Button::Deny, "Deny", Style::Plain, Some(deny)),
            self.button(Button::Looking, "I'm looking", Style::Plain, None),
        ];
        buttons.extend(break_glass.then(|| self.button(Button::BreakGlass, "Break glass", Style::Danger, None)));
        Block::Actions(buttons)
    }

    /// Takes the changes back, behind a dialog.
    pub(crate) fn undo_button(&self) -> Block {
        let count = counted(self.incident.assessment.plan.undo().len(), "call", "calls");
        let subject = plain(&self.incident.subject.to_string(), 120);
        let confirm = Confirm {
            title: "Undo the changes?".into(),
            text: plain(&format!("Cordon makes the {count} listed below \"To undo\". Subject: {subject}"), MAX_CONFIRM_TEXT),
            confirm: "Undo".into(),
            deny: "Go back".into(),
            style: Style::Danger,
        };
        Block::Actions(vec![self.button(Button::Undo, "Undo", Style::Danger, Some(confirm))])
    }

    fn button(&self, button: Button, text: &str, style: Style, confirm: Option<Confirm>) -> blocks::Button {
        blocks::Button { action_id: button.id(), text: text.into(), value: plain(self.id(), INCIDENT), style, confirm }
    }

    /// Rules with their authors, the decision, the incident's id and where to see more: the last line of every card.
    pub(crate) fn footer(&self) -> Block {
        let mut elements: Vec<String> = self.incident.detections.iter().take(RULES_NAMED).map(rule_line).collect();
        if let Some(more) = self.incident.detections.len().checked_sub(RULES_NAMED).filter(|more| *more > 0) {
            elements.push(format!("and {}", counted(more, "more rule", "more rules")));
        }
        let yes = |holds| if holds { "yes" } else { "no" };
        elements.push(format!(
            "Decision: {} (approved_for_remediation: {}, dry_run: {})",
            sentence(self.reason(), 300),
            yes(self.is_approved_for_remediation()),
            yes(self.incident.is_dry_run()),
        ));
        elements.push(format!("Incident {}", code(self.id(), INCIDENT)));
        elements.extend(self.links.execution.as_deref().map(|url| link(url, "Open the execution")));
        elements.extend(self.links.event.as_deref().map(|url| link(url, "Open the event in CloudTrail")));
        Block::Context(elements)
    }

    /// The whole news in sentences: the headline, what became of it, who did what, the incident's id.
    fn fallback(&self, news: &str) -> String {
        let part = |words: &str, value: Option<&str>| match value.map(str::trim) {
            None | Some("") => String::new(),
            Some(value) => format!("{words} {}", plain(value, VALUE)),
        };
        let event = &self.incident.event;
        let said = format!(
            "{} {news} {} called {} on {}{}{}{}{}. Incident {}.",
            with_full_stop(&self.headline()),
            known(&self.incident.actor.display()),
            known(&event.name),
            known(&self.incident.subject.to_string()),
            part(" with", event.policy_arn.as_deref()),
            part(" in account", Some(self.account())),
            part(" from", event.source_ip.as_deref()),
            part(" at", event.time.map(utc).as_deref()),
            plain(self.id(), INCIDENT),
        );
        unformatted(&said, NOTIFICATION)
    }

    /// Which incident a message without a card is about.
    pub(crate) fn named(&self) -> String {
        format!("{} Incident {}", self.severity().0, code(self.id(), INCIDENT))
    }

    /// The same where nothing is formatted.
    pub(crate) fn spoken_name(&self) -> String {
        format!("Incident {}.", plain(self.id(), INCIDENT))
    }

    /// A command of the `cordon` tool on this incident, to be copied.
    pub(crate) fn command(&self, verb: &str) -> String {
        code(&format!("cordon incident {verb} {}", self.id()), 110)
    }

    /// The message, with its lists shortened as far as Slack's limit on the whole makes it necessary. `news` is for the fallback, one
    /// or two sentences.
    pub(crate) fn message(&self, news: &str, blocks: Vec<Block>) -> Message {
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

/// The line at the top of a card: a bold beginning of our own, then prose that may hold an attacker's text.
pub(crate) fn lead(bold: &str, prose: &str) -> String {
    let prose = sentence(prose, LEAD);
    if prose.is_empty() { format!("*{bold}*") } else { format!("*{bold}* {prose}") }
}

pub(crate) fn bullets(sentences: &[String]) -> Vec<String> {
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

/// "`PutRolePolicy` ×3 from … to …".
fn merged_calls(calls: &MergedCalls) -> String {
    let mut said = format!("{} ×{}", code(&calls.name, 80), calls.count);
    match (calls.first, calls.last) {
        (Some(first), Some(last)) if first != last => said.push_str(&format!(" from {} to {}", utc(first), utc(last))),
        (Some(at), _) | (None, Some(at)) => said.push_str(&format!(" at {}", utc(at))),
        (None, None) => {}
    }
    said
}

fn rule_line(rule: &Detection) -> String {
    let author = if rule.author.trim().is_empty() { "an unnamed author" } else { &rule.author };
    format!("Rule: {}, by {}", sentence(&rule.title, 150), sentence(author, 80))
}

/// To the second and in CloudTrail's own zone, so that it can be searched for as it stands.
pub(crate) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The time between, in the units that a person would use. Clocks differ: what seems to run backwards counts as nothing.
pub(crate) fn took(from: Timestamp, to: Timestamp) -> String {
    let milliseconds = to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
    let seconds = milliseconds / 1_000;
    match seconds {
        0..10 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A time that Slack shows in the reader's own zone; others show it in UTC.
pub(crate) fn local(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{}>", at.as_second(), utc(at))
}

pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

pub(crate) fn with_full_stop(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}
