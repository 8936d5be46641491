//! Capacity besides what is provisioned: what is kept warm, and the most that may be used by request.

use crate::kv::error::{Error, Result};
use crate::kv::record::Definition;
use crate::kv::schema::{BillingMode, OnDemandThroughput, Throughput, WarmThroughput};

/// What is warm of every table paid by request.
const BY_REQUEST: Throughput = Throughput { read: 12_000, write: 4_000 };
/// Where the service's users read why.
const INITIAL: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/\
                       on-demand-capacity-mode.html#on-demand-capacity-mode-initial";

fn invalid<T>(what: impl std::fmt::Display) -> Result<T> {
    Err(Error::validation(format!("One or more parameter values were invalid: {what}")))
}

/// What is warm: what was asked for, and no less than there is anyway.
fn current(warm: Option<WarmThroughput>, billing: BillingMode, provisioned: Throughput) -> Throughput {
    let least = if billing == BillingMode::PayPerRequest { BY_REQUEST } else { provisioned };
    let warm = warm.unwrap_or_default();
    Throughput {
        read: warm.read.map_or(least.read, |units| units.max(least.read)),
        write: warm.write.map_or(least.write, |units| units.max(least.write)),
    }
}

/// Of a table, or of the index of this name.
fn whose(index: Option<&str>) -> String {
    index.map_or_else(|| "table".to_owned(), |name| format!("index {name}"))
}

/// Can a new table, or a new index, be kept as warm as this?
pub(crate) fn check_new_warm(
    warm: Option<WarmThroughput>,
    billing: BillingMode,
    provisioned: Option<Throughput>,
    index: Option<&str>,
) -> Result<()> {
    let Some(warm) = warm else { return Ok(()) };
    let is_by_request = billing == BillingMode::PayPerRequest;
    let least = if is_by_request { BY_REQUEST } else { provisioned.unwrap_or_default() };
    let of = whose(index);
    for (units, least, name) in [(warm.read, least.read, "Read"), (warm.write, least.write, "Write")] {
        if units.is_none_or(|units| units >= least) {
            continue;
        }
        let than = if is_by_request {
            format!("initial throughput for OnDemand. See: {INITIAL}")
        } else {
            format!("{name}CapacityUnits of ProvisionedThroughput")
        };
        return invalid(format_args!(
            "Requested {name}UnitsPerSecond for WarmThroughput for {of} is lower than {than}"
        ));
    }
    Ok(())
}

/// What is to be kept warm from now on: never less than before, and what is not said stays.
pub(crate) fn raise_warm(
    asked: WarmThroughput,
    before: Option<WarmThroughput>,
    billing: BillingMode,
    provisioned: Throughput,
    index: Option<&str>,
) -> Result<WarmThroughput> {
    let now = current(before, billing, provisioned);
    for (units, now, name) in [(asked.read, now.read, "Read"), (asked.write, now.write, "Write")] {
        if units.is_some_and(|units| units < now) {
            return invalid(format_args!(
                "Requested {name}UnitsPerSecond for WarmThroughput for {} is lower than current WarmThroughput, \
                 decreasing WarmThroughput is not supported",
                whose(index)
            ));
        }
    }
    Ok(WarmThroughput { read: asked.read.or(Some(now.read)), write: asked.write.or(Some(now.write)) })
}

/// What was warm stays so when less is provisioned.
pub(crate) fn keep_warm(before: &Definition, after: &mut Definition) {
    let kept = |before: Throughput, now: Throughput, warm: &mut Option<WarmThroughput>| {
        if now.read < before.read || now.write < before.write {
            let (read, write) = (before.read.max(now.read), before.write.max(now.write));
            *warm = Some(WarmThroughput { read: Some(read), write: Some(write) });
        }
    };
    let was = current(before.warm, before.billing, before.throughput.units);
    let is = current(after.warm, after.billing, after.throughput.units);
    kept(was, is, &mut after.warm);
    let billing = after.billing;
    for index in after.indexes.iter_mut().filter(|index| !index.is_local) {
        let Some(old) = before.index(&index.name) else { continue };
        let was = current(old.warm, before.billing, old.throughput.units);
        let is = current(index.warm, billing, index.throughput.units);
        kept(was, is, &mut index.warm);
    }
}

/// Can so much be used at most? `clears`: may -1 say that there is no limit any more?
pub(crate) fn check_on_demand(
    limits: Option<OnDemandThroughput>,
    billing: BillingMode,
    index: Option<&str>,
    clears: bool,
) -> Result<()> {
    let limits = limits.unwrap_or_default();
    for (limit, name) in [(limits.max_read, "Read"), (limits.max_write, "Write")] {
        let Some(limit) = limit else { continue };
        if billing == BillingMode::Provisioned {
            let of = index.map(|index| format!(" for index: {index}")).unwrap_or_default();
            return invalid(format_args!(
                "Max{name}RequestUnits for OnDemandThroughput{of} cannot be specified when the table BillingMode is \
                 PROVISIONED"
            ));
        }
        if limit < 1 && !(clears && limit == -1) {
            let of = index.map_or_else(|| "table".to_owned(), |index| format!("index : {index}"));
            return invalid(format_args!(
                "Requested Max{name}RequestUnits for OnDemandThroughput for {of} is outside of valid range"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_is_at_least_what_there_is() {
        let warm = |read, write| Some(WarmThroughput { read, write });
        let units = Throughput { read: 3, write: 5 };
        assert_eq!(current(None, BillingMode::PayPerRequest, units), BY_REQUEST);
        assert_eq!(current(None, BillingMode::Provisioned, units), units);
        let raised = current(warm(Some(9), None), BillingMode::Provisioned, units);
        assert_eq!(raised, Throughput { read: 9, write: 5 });
        let asked = WarmThroughput { read: None, write: Some(7) };
        let kept = raise_warm(asked, warm(Some(9), None), BillingMode::Provisioned, units, None).unwrap();
        assert_eq!(kept, WarmThroughput { read: Some(9), write: Some(7) });
        let refused = raise_warm(kept, warm(Some(10), None), BillingMode::Provisioned, units, Some("by_age"));
        let message = refused.unwrap_err().to_string();
        assert!(
            message.contains("Requested ReadUnitsPerSecond for WarmThroughput for index by_age is lower")
        );
    }
}
