//! Whether a signed click comes from where it should: a secret can be shared by several workspaces and apps, and a workspace lets in
//! bots and guests.

use crate::interaction::Sender;
use crate::secret::{Credential, SlackSecret};

/// Why a signed click or dialog does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It comes from a workspace other than the secret's `team_id`.
    #[error("it comes from another Slack workspace")]
    Workspace,
    /// It comes from an app other than the secret's `app_id`.
    #[error("it comes from another Slack app")]
    App,
    /// It comes from a channel that is neither the secret's nor one of those given.
    #[error("it comes from another channel")]
    Channel,
    /// It was sent by a bot, a guest, or somebody of another company.
    #[error("it was sent by a bot or a guest")]
    NotAMember,
}

impl SlackSecret {
    /// Checks a sender, and the channel of a click. A dialog names no channel: it was opened for a click that did. `channels` are
    /// the ids of further channels that count beside the secret's own.
    ///
    /// # Errors
    /// The first check that the sender or the channel does not pass.
    pub fn admits<'c>(
        &self,
        sender: &Sender,
        channel: Option<&str>,
        mut channels: impl Iterator<Item = &'c str>,
    ) -> Result<(), OriginError> {
        if self.team_id.as_ref().is_some_and(|team| *team != sender.team_id) {
            return Err(OriginError::Workspace);
        }
        if self.app_id.is_some() && self.app_id != sender.app_id {
            return Err(OriginError::App);
        }
        if let (Credential::Bot { channel: own, .. }, Some(clicked)) = (&self.credential, channel)
            && own != clicked
            && !channels.any(|channel| channel == clicked)
        {
            return Err(OriginError::Channel);
        }
        if sender.is_bot || sender.is_guest || sender.is_from_outside() {
            return Err(OriginError::NotAMember);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        Sender {
            user_id: "U0APPROVER".into(),
            user_name: None,
            user_team_id: Some("T0TEAM".into()),
            team_id: "T0TEAM".into(),
            enterprise_id: None,
            is_enterprise_install: false,
            app_id: Some("A0APP".into()),
            is_bot: false,
            is_guest: false,
        }
    }

    #[test]
    fn a_click_counts_from_its_own_workspace_app_and_channels_by_its_own_people() {
        let secret = r#"{"signing_secret":"0123456789abcdef","bot_token":"xoxb-1","channel":"C0TEST","team_id":"T0TEAM","app_id":"A0APP"}"#;
        let secret = SlackSecret::parse(secret).unwrap();
        let admits = |sender: &Sender, channel| secret.admits(sender, channel, ["C0SECOND"].into_iter());
        for channel in [None, Some("C0TEST"), Some("C0SECOND")] {
            assert_eq!(admits(&sender(), channel), Ok(()), "{channel:?}");
        }
        assert_eq!(admits(&sender(), Some("C0OTHER")), Err(OriginError::Channel));
        let elsewhere = Sender { team_id: "T0OTHER".into(), ..sender() };
        assert_eq!(admits(&elsewhere, None), Err(OriginError::Workspace));
        assert_eq!(admits(&Sender { app_id: None, ..sender() }, None), Err(OriginError::App));
        for outsider in [
            Sender { is_bot: true, ..sender() },
            Sender { is_guest: true, ..sender() },
            Sender { user_team_id: Some("T0OTHER".into()), ..sender() },
        ] {
            assert_eq!(admits(&outsider, Some("C0TEST")), Err(OriginError::NotAMember));
        }
    }
}
