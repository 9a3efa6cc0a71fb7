//! Exceptions that stand in IAM: the exception tag with its end, and exempt groups. Each is weighed by who gave it, and when.

use std::collections::BTreeMap;

use cordon_core::config::end;
use cordon_core::decision::{ExemptFrom, Exemption, Verdict};
use cordon_core::incident::Incident;
use cordon_core::{ActorKind, Principal, PrincipalKind, Response, same_name};
use cordon_store::{Change, Grant, Provenance};
use jiff::{SignedDuration, Timestamp};

use super::checked::Checked;
use super::objections::{contradiction, objection, said};
use super::{Check, CheckError, unreadable};

pub(super) struct Grants<'a> {
    pub check: &'a Check<'a>,
    pub incident: &'a Incident,
    pub event_time: Timestamp,
}

/// Something that stands in IAM, and what it is called in a sentence.
struct Standing<'a> {
    principal: &'a Principal,
    grant: Grant<'a>,
    what: String,
    /// The tag's value; nothing where it does not stand, or is a membership.
    value: Option<&'a str>,
}

/// Until when an exception tag counts.
enum End<'t> {
    /// As its second tag says.
    At(&'t str),
    /// Nothing limits it.
    Open,
    /// It does not count, for its end or for who changed that.
    Objected(Verdict),
}

/// Who gave something that stands.
enum Origin {
    Seen(Provenance),
    /// Before Cordon watched, or by a call that has not been delivered.
    Unseen,
    /// The table does not say.
    Unknown(Verdict),
}

impl Grants<'_> {
    /// The tag of whom the rule is about: the subject, where something is undone on it; else the actor.
    pub async fn tag(&self, response: &Response, checked: &mut Checked) -> Result<Verdict, CheckError> {
        let actor = self.incident.actor.principal();
        let tagged = if response.revert.is_empty() {
            actor.clone()
        } else {
            self.incident.subject.principal().cloned().or_else(|| actor.clone())
        };
        let Some(principal) = tagged else { return Ok(Verdict::Caught) };
        if principal.kind == PrincipalKind::Group {
            checked.say("Groups carry no tags, so no exception tag was looked for.".to_owned());
            return Ok(Verdict::Caught);
        }
        let wanted = &self.check.config.exceptions;
        let name = format!("{}={}", wanted.tag_key, wanted.tag_value);
        // In the account of the principal: another account may have one of the same name.
        let tags = match self.check.iam(Some(&principal.account), &self.incident.id).await {
            Ok(iam) => iam.tags(&principal).await,
            Err(error) => Err(error),
        };
        let tags = match tags {
            Ok(tags) => tags,
            Err(error) => return Ok(checked.unknown(format!("The tags of `{principal}` could not be read ({error})"))),
        };
        if tags.get(&wanted.tag_key) != Some(&wanted.tag_value) {
            checked.say(format!("`{principal}` does not carry the exception tag `{name}`."));
            return Ok(Verdict::Caught);
        }
        let what = format!("the tag `{name}` of `{principal}`");
        let standing =
            Standing { principal: &principal, grant: Grant::Tag(&wanted.tag_key), what, value: Some(&wanted.tag_value) };
        let until = match self.until(&principal, &tags, checked).await? {
            End::At(until) => Some(until),
            End::Open => None,
            End::Objected(verdict) => return Ok(verdict),
        };
        match self.weigh(&standing, checked).await? {
            Some(verdict) => Ok(verdict),
            None => {
                let kind = if principal.kind == PrincipalKind::Role { "Role" } else { "User" };
                let until = until.map(|until| format!(", until {until}")).unwrap_or_default();
                Ok(of_every_rule(format!("{kind} has approved exception tag: {name}{until}")))
            }
        }
    }

    /// The exception tag's end; a verdict where it does not count for its end, or for who changed that.
    async fn until<'t>(
        &self,
        principal: &Principal,
        tags: &'t BTreeMap<String, String>,
        checked: &mut Checked,
    ) -> Result<End<'t>, CheckError> {
        let (key, required) = (&self.check.config.exceptions.until_key, self.check.config.exceptions.require_until);
        // IAM takes a key in any case of letters for the same one, and an end only ever limits.
        let value = tags.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str());
        let objection = match value.map(|value| (value, end(value))) {
            None if required => Some(format!("`{principal}` carries no `{key}`, which exceptions.require_until wants")),
            None => None,
            Some((value, None)) => {
                Some(format!("`{key}` of `{principal}` is `{value}`, which is neither a date nor an RFC 3339 time"))
            }
            Some((value, Some(end))) if end <= self.event_time => {
                Some(format!("the exception of `{principal}` ended: `{key}` is `{value}`"))
            }
            Some((_, Some(_))) => None,
        };
        if let Some(objection) = objection {
            checked.say(capitalised(&format!("{objection}, so the exception tag does not count.")));
            return Ok(End::Objected(Verdict::Caught));
        }
        let standing = Standing { principal, grant: Grant::Tag(key), what: format!("the tag `{key}` of `{principal}`"), value };
        let verdict = match self.provenance(&standing, checked).await? {
            Origin::Unknown(verdict) => Some(verdict),
            // It does not stand, and nobody was seen taking it away.
            Origin::Unseen => None,
            Origin::Seen(provenance) => self.object(&provenance, &standing, checked),
        };
        Ok(match (verdict, value) {
            (Some(verdict), _) => End::Objected(verdict),
            (None, Some(value)) => End::At(value),
            (None, None) => End::Open,
        })
    }

    pub async fn group(&self, checked: &mut Checked) -> Result<Verdict, CheckError> {
        let Some(principal) = self.incident.actor.principal().filter(|_| self.incident.actor.kind == ActorKind::IamUser) else {
            return Ok(Verdict::Caught);
        };
        let groups = match self.check.iam(Some(&principal.account), &self.incident.id).await {
            Ok(iam) => iam.groups_of_user(&principal.name).await,
            Err(error) => Err(error),
        };
        let groups = match groups {
            Ok(groups) => groups,
            Err(error) => return Ok(checked.unknown(format!("The groups of `{principal}` could not be read ({error})"))),
        };
        let exempt = &self.check.config.exceptions.exempt_groups;
        for group in groups.iter().filter(|group| exempt.iter().any(|exempt| same_name(exempt, group))) {
            let what = format!("the membership of `{principal}` in the exempt group `{group}`");
            let standing = Standing { principal: &principal, grant: Grant::Group(group), what, value: None };
            if let Some(verdict) = self.named(&principal, group, checked).await? {
                match verdict {
                    Verdict::Caught | Verdict::Exempt(_) => continue,
                    Verdict::Unknown(_) => return Ok(verdict),
                }
            }
            match self.weigh(&standing, checked).await? {
                None => return Ok(of_every_rule(format!("Actor is in the exempt group: {group}"))),
                Some(Verdict::Caught) => {}
                Some(verdict) => return Ok(verdict),
            }
        }
        checked.say(format!("`{principal}` is in no exempt group that counts (exempt: {}).", exempt.join(", ")));
        Ok(Verdict::Caught)
    }

    /// Why a group does not exempt its members for how it came to its name, whoever put them in; `None` where it does.
    async fn named(&self, member: &Principal, group: &str, checked: &mut Checked) -> Result<Option<Verdict>, CheckError> {
        let principal = Principal::new(PrincipalKind::Group, member.account.clone(), group);
        let what = format!("the name of the exempt group `{group}`");
        let standing = Standing { principal: &principal, grant: Grant::Group(group), what, value: None };
        self.seen(&standing, checked).await
    }

    /// Why an exception that matches an ARN does not count for how its principal came to that ARN; `None` where it does. Where that
    /// was before Cordon watched, it does.
    pub async fn arn(&self, principal: &Principal, checked: &mut Checked) -> Result<Option<Verdict>, CheckError> {
        if let Some(verdict) = self.too_young(principal, checked).await? {
            return Ok(Some(verdict));
        }
        let what = format!("the ARN `{principal}`");
        let standing = Standing { principal, grant: Grant::Arn, what, value: None };
        self.seen(&standing, checked).await
    }

    async fn seen(&self, standing: &Standing<'_>, checked: &mut Checked) -> Result<Option<Verdict>, CheckError> {
        Ok(match self.provenance(standing, checked).await? {
            Origin::Unknown(verdict) => Some(verdict),
            Origin::Unseen => None,
            Origin::Seen(provenance) => self.object(&provenance, standing, checked),
        })
    }

    /// Why nothing exempts a principal for when IAM says that it was made; `None` where that is long ago. What a young one carries
    /// was given with it or since, whether an event says so or not: an event can come late, never, or without its parameters, and what
    /// is remembered of a name may be of another principal that had it before.
    async fn too_young(&self, principal: &Principal, checked: &mut Checked) -> Result<Option<Verdict>, CheckError> {
        let found = match self.check.iam(Some(&principal.account), &self.incident.id).await {
            Ok(iam) => iam.principal(principal).await,
            Err(error) => Err(error),
        };
        let hours = self.check.config.exceptions.min_age_hours;
        let objection = match found {
            Err(error) => return Ok(Some(checked.unknown(format!("When `{principal}` was made could not be read ({error})")))),
            Ok(None) => Some("no longer exists".to_owned()),
            Ok(Some(facts)) => match facts.created_at {
                None => Some("has no date of making in IAM".to_owned()),
                Some(made) if self.event_time.duration_since(made) < SignedDuration::from_hours(i64::from(hours)) => {
                    Some(format!("was made at {made}, less than {hours} hours before the event"))
                }
                Some(_) => None,
            },
        };
        Ok(objection.map(|objection| {
            checked.say(format!("`{principal}` {objection}, so no exception of it counts."));
            Verdict::Caught
        }))
    }

    /// A grant stands; does it count? `None` where it does.
    async fn weigh(&self, standing: &Standing<'_>, checked: &mut Checked) -> Result<Option<Verdict>, CheckError> {
        if let Some(verdict) = self.too_young(standing.principal, checked).await? {
            return Ok(Some(verdict));
        }
        let what = &standing.what;
        let origin = match self.provenance(standing, checked).await? {
            Origin::Unknown(verdict) => return Ok(Some(verdict)),
            Origin::Seen(provenance) => match self.object(&provenance, standing, checked) {
                Some(verdict) => return Ok(Some(verdict)),
                None => said(&provenance),
            },
            Origin::Unseen if self.check.config.exceptions.require_provenance => {
                checked.say(capitalised(&format!(
                    "nobody was seen giving {what}, which exceptions.require_provenance wants, so it does not count."
                )));
                return Ok(Some(Verdict::Caught));
            }
            Origin::Unseen => "given before Cordon could see who did it".to_owned(),
        };
        checked.say(capitalised(&format!("{what} was {origin}.")));
        Ok(None)
    }

    fn object(&self, provenance: &Provenance, standing: &Standing<'_>, checked: &mut Checked) -> Option<Verdict> {
        let limits = &self.check.config.exceptions;
        let actor = self.incident.actor.principal();
        let is_gone = standing.value.is_none() && matches!(standing.grant, Grant::Tag(_));
        let contradicted = match provenance.change {
            // The end was taken away, and is away: that is what was seen.
            Change::TakenAway if is_gone => None,
            Change::Given | Change::TakenAway | Change::Renamed => contradiction(provenance, &standing.what, standing.value),
        };
        let objection = contradicted
            .or_else(|| objection(provenance, &standing.what, actor.as_ref(), self.event_time, limits.min_age_hours))?;
        checked.say(capitalised(&format!("{objection}.")));
        Some(Verdict::Caught)
    }

    async fn provenance(&self, standing: &Standing<'_>, checked: &mut Checked) -> Result<Origin, CheckError> {
        match self.check.store.provenance(standing.principal, standing.grant).await {
            Ok(Some(provenance)) => Ok(Origin::Seen(provenance)),
            Ok(None) => Ok(Origin::Unseen),
            Err(error) => {
                let sentence = unreadable(error, &format!("Who gave {}", standing.what))?;
                Ok(Origin::Unknown(checked.unknown(sentence)))
            }
        }
    }
}

/// What stands in IAM names no rule.
fn of_every_rule(reason: String) -> Verdict {
    Verdict::Exempt(Exemption { reason, from: ExemptFrom::Every })
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
