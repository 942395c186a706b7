//! What every receiver does with records that it found: read, hand over, count, set aside.

use std::sync::Arc;

use bytes::Bytes;

use super::aside::Aside;
use super::counts::{Counts, Fate};
use super::intake::{Intake, Trouble};
use super::line::{self, Reason};
use super::otlp::Found;

/// One receiver's way to the store.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) intake: Arc<Intake>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) aside: Arc<Aside>,
}

/// What a sender is told of records that were stored, or never will be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Receipt {
    /// Records that were refused for good.
    pub(crate) refused: u64,
    /// Why the first of each reason was.
    pub(crate) why: String,
}

impl Desk {
    /// Stores what can be stored.
    ///
    /// # Errors
    /// Nothing was stored; the same records are to come again.
    pub(crate) async fn store(&self, found: Found) -> Result<Receipt, Trouble> {
        let mut receipt = Receipt::default();
        self.refuse(&mut receipt, Reason::Foreign, found.foreign, None);
        let mut arrivals = Vec::with_capacity(found.records.len());
        for json in found.records {
            match line::arrival(json.clone()) {
                Ok(arrival) => arrivals.push(arrival),
                Err(reason) => {
                    self.refuse(&mut receipt, reason, 1, None);
                    self.aside.keep(reason, &json);
                }
            }
        }
        if arrivals.is_empty() {
            self.counts.request(Fate::Taken);
            return Ok(receipt);
        }
        // Bytes are shared: a copy of the list is cheap.
        let lines: Vec<Bytes> = arrivals.iter().map(|arrival| arrival.json.clone()).collect();
        match self.intake.commit(arrivals).await {
            Ok(refused) => {
                for (place, why) in refused {
                    self.refuse(&mut receipt, Reason::Store, 1, Some(&why));
                    if let Some(json) = lines.get(place) {
                        self.aside.keep(Reason::Store, json);
                    }
                }
                self.counts.request(Fate::Taken);
                Ok(receipt)
            }
            Err(trouble) => {
                self.counts.request(match &trouble {
                    Trouble::Busy => Fate::Busy,
                    Trouble::Store(_) => Fate::Unstored,
                });
                self.counts.trouble(trouble.text());
                Err(trouble)
            }
        }
    }

    /// Counts and words what is refused.
    fn refuse(&self, receipt: &mut Receipt, reason: Reason, count: u64, why: Option<&str>) {
        if count == 0 {
            return;
        }
        self.counts.refused(reason, count);
        receipt.refused += count;
        let text = why.unwrap_or(reason.text());
        if receipt.why.len() < WHY_LEN_MAX && !receipt.why.contains(text) {
            if !receipt.why.is_empty() {
                receipt.why.push_str("; ");
            }
            receipt.why.extend(text.chars().take(WHY_LEN_MAX));
        }
    }
}

impl Trouble {
    /// In words.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Busy => "too many requests wait for the store",
            Self::Store(why) => why,
        }
    }
}

/// Characters of an answer, about.
const WHY_LEN_MAX: usize = 500;
