//! remove-from-group: removes a user from the group to which the event added them.
//!
//! It never touches another membership, nor the group's policies. Undo adds the user again.

use async_trait::async_trait;
use cordon_core::{Change, RemedyKind, Setting, same_name};

use crate::port::{Account, IamError};
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct RemoveFromGroup;

#[async_trait]
impl Remedy for RemoveFromGroup {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RemoveFromGroup
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["AddUserToGroup"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, _)) = request.user() else {
            return Ok(request.does_not_fit(self.kind(), "a user"));
        };
        let Some(named) = &request.event.touched.group else {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the event names no group that `{target}` was put into"),
                instruction: format!("compare the groups of `{target}` with those it should be in"),
            }));
        };
        let groups = account.groups_of_user(&target.name).await?;
        let reason = format!("`{target}` is not in the group `{named}`");
        let group = groups.into_iter().find(|group| same_name(group, named));
        // Where another incident took the user out, this one needs that too.
        let from = group.as_ref().map(|_| Setting::ON.to_owned());
        let name = group.unwrap_or_else(|| named.to_owned());
        let change = Change { setting: Setting::Group { name }, from, to: None };
        Ok(settings::planned(request, request.step(self.kind()), vec![change], &reason))
    }
}
