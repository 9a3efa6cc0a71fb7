//! CheckExceptions: may this have happened, what would be done about it, and does somebody have to be asked first.
//!
//! INVARIANT: a read that fails leads to a person. An exception counts only by what IAM says now, never by what the event
//! says, and not where the actor gave it.

use cordon_contract::{CheckInput, CheckOutput, StateError};
use cordon_core::decision::{Facts, Judged, Verdict, decide};
use cordon_core::incident::{Head, State};
use cordon_core::pattern::Pattern;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{ActorKind, Config, Detection, ExceptionKind, Plan, Principal, PrincipalKind, Response};
use cordon_respond::planner::{self, Case, Planning};
use cordon_respond::port::Account;
use serde_json::json;

use crate::cases::Cases;
use crate::ports::Clock;
use crate::provenance::{Grant, objection};

pub struct Check<'a> {
    pub cases: Cases<'a>,
    pub config: &'a Config,
    pub iam: &'a dyn Account,
    /// Cordon's own roles, which no plan may touch.
    pub own: &'a [Pattern],
    pub clock: &'a dyn Clock,
}

/// What was found about exceptions, for the decision and for the card.
#[derive(Default)]
struct Findings {
    judged: Vec<Judged>,
    sentences: Vec<String>,
}

impl Check<'_> {
    pub async fn run(&self, input: CheckInput) -> Result<CheckOutput, StateError> {
        let head = self.cases.head(&input.incident).await?;
        // A retry keeps to the decision that people may have read already.
        if let Some(decision) = &head.decision {
            return Ok(CheckOutput { route: decision.route });
        }
        let findings = self.judge(&head).await?;
        let caught: Vec<Detection> = head.detections.iter().filter(|detection| findings.is_caught(detection)).cloned().collect();
        let (planning, planning_failed) = self.plan(&head, &caught).await;
        let decision = decide(&Facts {
            mode: self.config.mode,
            origin: head.event.origin,
            judged: findings.judged,
            planned_steps: planning.plan.steps.len(),
            left_out: planning.left_out.clone(),
            planning_failed,
        });
        let data = json!({
            "route": decision.route, "approved_for_remediation": decision.approved_for_remediation, "decision_reason": decision.decision_reason,
            "dry_run": decision.dry_run, "exceptions_checked": findings.sentences, "calls": planning.plan.calls(), "by_hand": planning.plan.by_hand,
            "left_out": planning.left_out, "event_name": head.event.name, "actor_arn": head.actor.arn, "subject": head.subject.to_string(),
            "policy_arn": head.event.policy_arn,
        });
        let decided = self
            .cases
            .commit(&input.incident, self.clock.now(), |head| {
                if head.decision.is_some() {
                    return None;
                }
                head.state = State::Decided;
                head.decision = Some(decision.clone());
                head.exceptions_checked.clone_from(&findings.sentences);
                head.plan = planning.plan.clone();
                Some(vec![NewEntry::cordon(Kind::Decided, data.clone())])
            })
            .await?;
        Ok(CheckOutput { route: decided.decision.map_or(decision.route, |decision| decision.route) })
    }

    async fn judge(&self, head: &Head) -> Result<Findings, StateError> {
        let mut findings = Findings::default();
        for detection in &head.detections {
            let Some(response) = &detection.response else { continue };
            let verdict = self.exceptions(head, response, &mut findings.sentences).await?;
            findings.judged.push(Judged { rule: detection.rule.clone(), gate: self.config.gate(&detection.rule), verdict });
        }
        Ok(findings)
    }

    async fn exceptions(&self, head: &Head, response: &Response, sentences: &mut Vec<String>) -> Result<Verdict, StateError> {
        let mut unknown = None;
        for kind in &response.exceptions {
            let verdict = match kind {
                ExceptionKind::Tag => self.tag(head, response, sentences).await?,
                ExceptionKind::Group => self.group(head, sentences).await?,
            };
            match verdict {
                Verdict::Exempt(_) => return Ok(verdict),
                Verdict::Unknown(_) => unknown = Some(verdict),
                Verdict::Caught => {}
            }
        }
        Ok(unknown.unwrap_or(Verdict::Caught))
    }

    /// The tag of whom the rule is about: the subject, where something is undone on it; else the actor.
    async fn tag(&self, head: &Head, response: &Response, sentences: &mut Vec<String>) -> Result<Verdict, StateError> {
        let actor = head.actor.principal();
        let tagged =
            if response.revert.is_empty() { actor.clone() } else { head.subject.principal().cloned().or_else(|| actor.clone()) };
        let Some(principal) = tagged else { return Ok(Verdict::Caught) };
        if principal.kind == PrincipalKind::Group {
            say(sentences, "Groups carry no tags, so no exception tag was looked for.".to_owned());
            return Ok(Verdict::Caught);
        }
        let wanted = &self.config.exceptions;
        let name = format!("{}={}", wanted.tag_key, wanted.tag_value);
        let tags = match self.iam.tags(&principal).await {
            Ok(tags) => tags,
            Err(error) => {
                let sentence = format!("The tags of `{principal}` could not be read ({error})");
                say(sentences, format!("{sentence}."));
                return Ok(Verdict::Unknown(sentence));
            }
        };
        if tags.get(&wanted.tag_key) != Some(&wanted.tag_value) {
            say(sentences, format!("`{principal}` does not carry the exception tag `{name}`."));
            return Ok(Verdict::Caught);
        }
        let kind = if principal.kind == PrincipalKind::Role { "Role" } else { "User" };
        let exempt = format!("{kind} has approved exception tag: {name}");
        self.weigh(
            head,
            &principal,
            Grant::Tag(&wanted.tag_key),
            &format!("the tag `{name}` of `{principal}`"),
            exempt,
            sentences,
        )
        .await
    }

    async fn group(&self, head: &Head, sentences: &mut Vec<String>) -> Result<Verdict, StateError> {
        let Some(principal) = head.actor.principal().filter(|_| head.actor.kind == ActorKind::IamUser) else {
            return Ok(Verdict::Caught);
        };
        let groups = match self.iam.groups_of_user(&principal.name).await {
            Ok(groups) => groups,
            Err(error) => {
                let sentence = format!("The groups of `{principal}` could not be read ({error})");
                say(sentences, format!("{sentence}."));
                return Ok(Verdict::Unknown(sentence));
            }
        };
        for group in groups.iter().filter(|group| self.config.exceptions.exempt_groups.contains(group)) {
            let exempt = format!("Actor is in the exempt group: {group}");
            let what = format!("the membership of `{principal}` in the exempt group `{group}`");
            match self.weigh(head, &principal, Grant::Group(group), &what, exempt, sentences).await? {
                Verdict::Caught => {}
                verdict => return Ok(verdict),
            }
        }
        say(
            sentences,
            format!(
                "`{principal}` is in no exempt group that counts (exempt: {}).",
                self.config.exceptions.exempt_groups.join(", ")
            ),
        );
        Ok(Verdict::Caught)
    }

    /// A grant stands; does it count?
    async fn weigh(
        &self,
        head: &Head,
        principal: &Principal,
        grant: Grant<'_>,
        what: &str,
        exempt: String,
        sentences: &mut Vec<String>,
    ) -> Result<Verdict, StateError> {
        let event_time = head.event.time.unwrap_or(head.opened_at);
        let provenance = self.cases.provenance(principal, grant).await?;
        let objection = provenance.as_ref().and_then(|provenance| {
            objection(provenance, what, head.actor.principal().as_ref(), event_time, self.config.exceptions.min_age_hours)
        });
        match objection {
            Some(objection) => {
                say(sentences, capitalised(&format!("{objection}.")));
                Ok(Verdict::Caught)
            }
            None => {
                let known =
                    provenance.map_or_else(|| "before Cordon could see who did it".to_owned(), |p| format!("by `{}`", p.by));
                say(sentences, capitalised(&format!("{what} was given {known}.")));
                Ok(Verdict::Exempt(exempt))
            }
        }
    }

    async fn plan(&self, head: &Head, caught: &[Detection]) -> (Planning, Option<String>) {
        if caught.is_empty() || !head.event.origin.may_enforce() {
            return (Planning::default(), None);
        }
        let case = Case {
            incident: &head.id,
            account: head.account.as_ref(),
            actor: &head.actor,
            subject: &head.subject,
            detections: caught,
            event: &head.event,
            now: self.clock.now(),
        };
        match planner::plan(self.iam, self.config, self.own, &case).await {
            Ok(planning) => (planning, None),
            Err(error) => {
                let reason = format!("IAM could not be read while planning ({error})");
                let by_hand = vec![format!("{reason}: look at the actor and the subject yourself, and contain them by hand.")];
                (Planning { plan: Plan { steps: Vec::new(), by_hand }, left_out: Vec::new() }, Some(reason))
            }
        }
    }
}

impl Findings {
    fn is_caught(&self, detection: &Detection) -> bool {
        self.judged.iter().any(|judged| judged.rule == detection.rule && !matches!(judged.verdict, Verdict::Exempt(_)))
    }
}

fn say(sentences: &mut Vec<String>, sentence: String) {
    if !sentences.contains(&sentence) {
        sentences.push(sentence);
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
