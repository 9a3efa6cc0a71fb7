//! The whole way of a click: bytes, Slack's protocol, the meaning of a button, the decision, and the response.
//!
//! It decides nothing: each step is another crate's, and a refusal at one of them ends the way.

use cordon_cards::{Press, Pressed, REASON, foreign};
use cordon_core::chain;
use cordon_flow::callback::{Callback, CallbackError, Elsewhere, Said};
use cordon_flow::decide::Decide;
use cordon_flow::ports::Presser;
use cordon_slack::{HttpResponse, Interaction, Request, RequestError, SlackSecret, receive};

use crate::haste::{Hasty, Stopwatch, WHOLE, within};

/// What is said where the time is over. The same click again is counted once, and finishes what was begun.
const TOO_SLOW: &str = "This took too long, and may count or not: the card will show it. Please press again; it counts once.";

/// Answers clicks and dialogs.
pub struct Clicks<'a> {
    /// Which requests are Slack's, and from where they count.
    pub secret: &'a SlackSecret,
    /// What is done with them.
    pub callback: Callback<'a>,
}

impl Clicks<'_> {
    /// Reads a request, if it is Slack's.
    ///
    /// # Errors
    /// Where it is not, or not a click or a dialog: the error has the response.
    pub fn receive(&self, request: &Request<'_>) -> Result<Interaction, RequestError> {
        let now = self.callback.decide.clock.now();
        receive(&self.secret.signing_secret, request, now.as_second())
            .inspect_err(|error| tracing::warn!(reason = chain(error), "a request was refused"))
    }

    /// The response to what was received: 400 where it is not about a card of ours, else 200 with a sentence or for the dialog. It
    /// comes within [`WHOLE`], whatever Slack's own API does meanwhile: 503 where the click was not answered by then, or nothing
    /// could be told to whoever clicked, which Slack shows them as a failure.
    ///
    /// # Errors
    /// Where the decision could not be made or delivered: another click finishes it.
    pub async fn answer(
        &self,
        interaction: &Interaction,
        presser: &dyn Presser,
        watch: &dyn Stopwatch,
    ) -> Result<HttpResponse, CallbackError> {
        let channel = Hasty { inner: self.callback.channel, watch };
        let presser = Hasty { inner: presser, watch };
        let Callback { decide: Decide { store, config, tasks, clock, .. }, executions, .. } = self.callback;
        let callback =
            Callback { decide: Decide { store, config, tasks, clock, channel: Some(&channel) }, executions, channel: &channel };
        let in_time = within(watch, WHOLE, self.answer_with(&callback, interaction, &presser)).await;
        in_time.unwrap_or_else(|| {
            tracing::warn!("a click was not answered in time");
            Ok(match interaction {
                Interaction::Click(_) => HttpResponse::text(503, TOO_SLOW),
                Interaction::Submission(_) => HttpResponse::fault(REASON, TOO_SLOW),
            })
        })
    }

    async fn answer_with(
        &self,
        callback: &Callback<'_>,
        interaction: &Interaction,
        presser: &dyn Presser,
    ) -> Result<HttpResponse, CallbackError> {
        let press = match Press::read(interaction) {
            Ok(press) => press,
            Err(error) => {
                tracing::warn!(reason = chain(&error), "a signed request was neither a click nor a dialog of ours");
                return Ok(HttpResponse::text(400, error.sentence()));
            }
        };
        let (sender, channel) = (interaction.sender(), interaction.channel_id());
        let channels = self.callback.decide.config.notifications.channels();
        let said = match self.secret.admits(sender, channel, channels) {
            Ok(()) => callback.run(&press, &sender.user_id, presser).await?,
            Err(origin) => {
                let from = Elsewhere { team: &sender.team_id, channel, reason: foreign(origin) };
                callback.turn_away(&press, &sender.user_id, &from, presser).await?
            }
        };
        Ok(response(&press.pressed, &said))
    }
}

fn response(pressed: &Pressed, said: &Said) -> HttpResponse {
    match pressed {
        Pressed::Button(_) if said.told => HttpResponse::text(200, &said.sentence),
        // Slack shows nobody the text of an answer to a button, but shows that it failed.
        Pressed::Button(_) => HttpResponse::text(503, &said.sentence),
        Pressed::Dialog { .. } if said.counts => HttpResponse::closes_dialog(),
        Pressed::Dialog { .. } => HttpResponse::fault(REASON, &said.sentence),
    }
}
