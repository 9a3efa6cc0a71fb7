//! Finds room for a deny: inline, else as AWS's `AWSDenyAll` attached, else as the permissions boundary.
//!
//! The place is chosen when the plan is made, from what IAM says then, so that what is approved is what is done: nothing here
//! looks for another place when a quota fills up later. It never makes room by taking something off.

use cordon_core::{Change, IncidentId, Principal, PrincipalKind, Setting};

use crate::deny;
use crate::port::{Account, IamError, PrincipalFacts};

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

/// Whether a document fits beside the other inline policies of a principal.
pub(crate) async fn fits_inline(account: &dyn Account, target: &Principal, name: &str, document: &str) -> Result<bool, IamError> {
    let size = |document: &str| document.chars().filter(|c| !c.is_whitespace()).count();
    let mut total = size(document);
    for other in account.inline_policies(target).await?.iter().filter(|other| *other != name) {
        total += account.inline_policy(target, other).await?.as_deref().map_or(0, size);
    }
    Ok(total <= inline_max_chars(target.kind))
}

/// The change that denies a principal everything, and a note for people where it is not an inline policy.
pub(crate) async fn everything(
    account: &dyn Account,
    target: &Principal,
    facts: &PrincipalFacts,
    incident: &IncidentId,
) -> Result<(Change, Option<String>), IamError> {
    let name = deny::named(deny::ALL_PREFIX, incident);
    if fits_inline(account, target, &name, deny::ALL_DOCUMENT).await? {
        let from = account.inline_policy(target, &name).await?;
        let to = Some(deny::ALL_DOCUMENT.to_owned());
        return Ok((Change { setting: Setting::InlinePolicy { name }, from, to }, None));
    }
    let attached = account.attached_policies(target).await?;
    let stands = attached.iter().any(|arn| arn == deny::AWS_DENY_ALL);
    if stands || attached.len() < ATTACHED_MAX {
        let change = Change {
            setting: Setting::AttachedPolicy { arn: deny::AWS_DENY_ALL.to_owned() },
            from: stands.then(|| Setting::ON.to_owned()),
            to: Some(Setting::ON.to_owned()),
        };
        let note =
            format!("The inline policies of `{target}` leave no room for the deny, so AWS's `AWSDenyAll` is attached instead.");
        return Ok((change, Some(note)));
    }
    let (change, note) = boundary(target, facts);
    Ok((change, Some(note)))
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
