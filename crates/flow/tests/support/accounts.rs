//! Sessions by account, over a fake IAM.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cordon_core::{AccountId, IncidentId};
use cordon_flow::Accounts;
use cordon_respond::{Account, IamError, IamErrorKind};
use cordon_testkit::FakeIam;

use super::ACCOUNT;

/// One account, whose sessions can be refused, and others, where a test has some.
pub struct FakeAccounts {
    pub iam: FakeIam,
    pub others: Mutex<BTreeMap<String, FakeIam>>,
    pub refuses: Mutex<Option<IamErrorKind>>,
    pub opened: Mutex<Vec<String>>,
}

#[async_trait]
impl Accounts for FakeAccounts {
    async fn iam(&self, account: &AccountId, incident: &IncidentId) -> Result<Arc<dyn Account>, IamError> {
        self.opened.lock().unwrap().push(format!("{account} {incident}"));
        if let Some(other) = self.others.lock().unwrap().get(account.as_str()) {
            return Ok(Arc::new(other.clone()));
        }
        let refused = if account.as_str() == ACCOUNT { *self.refuses.lock().unwrap() } else { Some(IamErrorKind::AccessDenied) };
        match refused {
            Some(kind) => Err(IamError::new(kind, "sts:AssumeRole", "refused on purpose")),
            None => Ok(Arc::new(self.iam.clone())),
        }
    }
}
