//! Finds room for a deny: inline, else as AWS's `AWSDenyAll` attached, else as the permissions boundary.
//!
//! The place is chosen when the plan is made, from what IAM says then and what earlier steps of the plan put on, so that what is
//! approved is what is done: nothing here looks for another place when a quota fills up later. It never makes room by taking
//! something off.

use cordon_core::{Change, PlannedStep, Principal, PrincipalKind, Setting, same_arn, same_name};

use crate::call;
use crate::deny;
use crate::port::{Account, IamError, PrincipalFacts};
use crate::remedy::Request;

/// Managed policies on one user or role: the quota that every account begins with. One that was raised is not seen, and the
/// boundary is used early. Source of both: "IAM and AWS STS quotas", IAM user guide.
const ATTACHED_MAX: usize = 10;

/// All inline policies of a principal together, in characters without white space.
fn inline_max_chars(kind: PrincipalKind) -> usize {
    match kind {
        PrincipalKind::User => 2_048,
        PrincipalKind::Role => 10_240,
        PrincipalKind::Group => 5_120,
    }
}

fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

/// Whether a document fits beside the other inline policies of a principal, and beside those that earlier steps put on.
pub(crate) async fn fits_inline(
    account: &dyn Account,
    request: &Request<'_>,
    target: &Principal,
    name: &str,
    document: &str,
) -> Result<bool, IamError> {
    let planned: Vec<(&str, &str)> = planned_for(request).filter_map(inline_put_by).filter(|(other, _)| *other != name).collect();
    let mut total = size(document) + planned.iter().map(|(_, document)| size(document)).sum::<usize>();
    let is_counted = |other: &str| !same_name(other, name) && !planned.iter().any(|(planned, _)| same_name(planned, other));
    for other in account.inline_policies(target).await?.iter().filter(|other| is_counted(other)) {
        total += account.inline_policy(target, other).await?.as_deref().map_or(0, size);
    }
    Ok(total <= inline_max_chars(target.kind))
}

/// The earlier steps of the plan on the same target.
fn planned_for<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a PlannedStep> {
    let target = request.on.target();
    request.planned.iter().filter(move |step| step.target.is(&target))
}

/// The inline policy that a step puts on: its name and document. A step puts at most one on.
fn inline_put_by(step: &PlannedStep) -> Option<(&str, &str)> {
    let of_change = step.changes.iter().find_map(|change| match (&change.setting, &change.to) {
        (Setting::InlinePolicy { name }, Some(document)) => Some((name.as_str(), document.as_str())),
        _ => None,
    });
    let of_call = || {
        let document = step.calls.first().and_then(|call| call.parameters.get(call::DOCUMENT))?;
        Some((step.inline_policy.as_deref()?, document.as_str()))
    };
    of_change.or_else(of_call)
}

/// The change that denies a principal everything, and a note for people where it is not an inline policy.
pub(crate) async fn everything(
    account: &dyn Account,
    request: &Request<'_>,
    target: &Principal,
    facts: &PrincipalFacts,
) -> Result<(Change, Option<String>), IamError> {
    let name = deny::named(deny::ALL_PREFIX, request.incident);
    place(account, request, (target, facts), name, deny::ALL_DOCUMENT).await
}

/// The change that puts a deny on a principal: its own document inline where that fits, else everything is denied in a place that
/// has room, with a note that says so.
pub(crate) async fn place(
    account: &dyn Account,
    request: &Request<'_>,
    (target, facts): (&Principal, &PrincipalFacts),
    name: String,
    document: &str,
) -> Result<(Change, Option<String>), IamError> {
    if fits_inline(account, request, target, &name, document).await? {
        let from = account.inline_policy(target, &name).await?;
        let to = Some(document.to_owned());
        return Ok((Change { setting: Setting::InlinePolicy { name }, from, to }, None));
    }
    let attached = account.attached_policies(target).await?;
    let stands = attached.iter().any(|arn| same_arn(arn, deny::AWS_DENY_ALL));
    let planned = planned_for(request).flat_map(|step| &step.changes).filter(|change| puts_managed_policy_on(change)).count();
    if stands || attached.len() + planned < ATTACHED_MAX {
        let change = Change {
            setting: Setting::AttachedPolicy { arn: deny::AWS_DENY_ALL.to_owned() },
            from: stands.then(|| Setting::ON.to_owned()),
            to: Some(Setting::ON.to_owned()),
        };
        let wider = if document == deny::ALL_DOCUMENT { "" } else { ": it denies everything, access keys included" };
        let note = format!(
            "The inline policies of `{target}` leave no room for the deny, so AWS's `AWSDenyAll` is attached instead{wider}."
        );
        return Ok((change, Some(note)));
    }
    let (change, note) = boundary(target, facts);
    Ok((change, Some(note)))
}

fn puts_managed_policy_on(change: &Change) -> bool {
    matches!(change.setting, Setting::AttachedPolicy { .. }) && change.from.is_none() && change.to.is_some()
}

/// A permissions boundary that allows nothing, whatever the principal's policies say.
pub(crate) fn boundary(target: &Principal, facts: &PrincipalFacts) -> (Change, String) {
    let before = match &facts.boundary {
        Some(arn) => format!("the boundary that is there now, `{arn}`, comes back with undo"),
        None => "there is no boundary now".to_owned(),
    };
    let note = format!(
        "The policies of `{target}` leave no room for a deny, so `AWSDenyAll` becomes its permissions boundary: it denies \
         everything, and {before}."
    );
    let change = Change { setting: Setting::Boundary, from: facts.boundary.clone(), to: Some(deny::AWS_DENY_ALL.to_owned()) };
    (change, note)
}

/// Whether a change denies its principal everything, in whichever place.
pub(crate) fn denies_everything(change: &Change) -> bool {
    match &change.setting {
        Setting::AttachedPolicy { arn } => same_arn(arn, deny::AWS_DENY_ALL) && change.to.is_some(),
        Setting::Boundary => change.to.as_deref().is_some_and(|arn| same_arn(arn, deny::AWS_DENY_ALL)),
        Setting::InlinePolicy { .. } => change.to.as_deref() == Some(deny::ALL_DOCUMENT),
        Setting::TrustPolicy
        | Setting::Group { .. }
        | Setting::AccessKey { .. }
        | Setting::LoginProfile
        | Setting::Tag { .. }
        | Setting::Logging
        | Setting::EventSelectors => false,
    }
}
