//! The steps for a person, for an actor whom no policy of this account can stop.

use cordon_core::{AccountId, Actor, ActorKind};

use crate::remedy::ByHand;

/// For an actor without a user or role to put a deny on.
pub(super) fn by_hand(actor: &Actor) -> ByHand {
    let who = actor.display();
    let account = actor.account.as_ref().map_or("the account", AccountId::as_str);
    let (reason, instruction) = match actor.kind {
        ActorKind::Root => (
            format!("`{who}` is the root user, which no IAM policy restricts"),
            format!(
                "sign in as root of {account} from a trusted device, change the password, replace the MFA device and delete every \
                 root access key (Security credentials); in a member account attach a service control policy that denies \
                 everything to `arn:aws:iam::*:root`; then call AWS Support if any of this is refused"
            ),
        ),
        ActorKind::AwsService => (
            format!("`{who}` is an AWS service that acted for somebody"),
            "find in CloudTrail who set the service to work (`invokedBy` and the calls to that service shortly before), and \
             contain that principal"
                .to_owned(),
        ),
        ActorKind::AwsAccount => (
            format!("`{who}` acted from another account, {account}"),
            "tell the owner of that account, and take it out of the trust policies and resource policies that let it in".to_owned(),
        ),
        ActorKind::FederatedUser => (
            format!("`{who}` is a federated session that names no user behind it"),
            "find in CloudTrail the `GetFederationToken` call that made the session, and put a deny on the user who called it; the \
             session lives up to 36 hours"
                .to_owned(),
        ),
        ActorKind::IamUser | ActorKind::AssumedRole | ActorKind::Unknown => (
            format!("the event does not name a user or role behind `{who}`"),
            "find the caller in CloudTrail by source address and time, and contain that principal in IAM or in the identity \
             provider"
                .to_owned(),
        ),
    };
    ByHand { reason, instruction }
}
