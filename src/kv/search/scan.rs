//! `Scan`.

use crate::kv::Tables;
use crate::kv::error::{Error, Result};
use crate::kv::keys::segment;
use crate::kv::request::{SearchParts, prepare_scan, search_methods};
use crate::kv::search::bounds::Bounds;
use crate::kv::search::page::{Page, Search, pays_by_partition};
use crate::kv::search::query::{check_limit, paths};
use crate::kv::search::start::Start;
use crate::kv::search::target::{Select, Target};
use crate::kv::tables::validate::constraint;
use crate::kv::throttle;
use crate::kv::write::shape_of;

/// Segments of a scan, at most.
pub const SEGMENTS_MAX: u32 = 1_000_000;

/// A walk over all of a table or an index, in no order but that of the sort keys within each partition.
///
/// ```
/// use fourfold::kv::Scan;
/// let scan = Scan::new("users").filter("age >= :age").value(":age", 18).segment(0, 4);
/// assert_eq!(scan.total_segments, Some(4));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The table.
    pub table: String,
    /// Which part of it, counted from 0.
    pub segment: Option<u32>,
    /// Into how many parts it is divided, 1 to 1,000,000.
    pub total_segments: Option<u32>,
    /// What is kept and returned of the items.
    pub what: SearchParts,
}

impl Scan {
    /// All of a table.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// One of `total` parts, which together are all, and of which no two have an item in common.
    #[must_use]
    pub fn segment(mut self, number: u32, total: u32) -> Self {
        (self.segment, self.total_segments) = (Some(number), Some(total));
        self
    }

    search_methods!();
}

impl Tables {
    /// A page of a table, an index, or a segment of one.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table, `ValidationException` for an index it does not have and
    /// for expressions that do not parse.
    pub fn scan(&self, request: &Scan) -> Result<Page> {
        self.store.call("Scan", &request.table, || self.do_scan(request))
    }

    fn do_scan(&self, request: &Scan) -> Result<Page> {
        let what = &request.what;
        check_limit(what.limit)?;
        let segment = request.places()?;
        let prepared = prepare_scan(request)?;
        let table = self.state.table(&self.store, &request.table)?;
        let shape = shape_of(&self.store, &table)?;
        let target = Target::new(&self.store, &table, &shape, what.index.as_deref(), what.consistent_read)?;
        let reads_table = target.needs_table(what.select, prepared.projection.as_ref())?;
        let mut bounds = segment.map_or_else(Bounds::default, Bounds::places);
        if let Some(start) = &what.exclusive_start_key {
            let (number, total) = (request.segment.unwrap_or(0), request.total_segments.unwrap_or(1));
            let outside = format!(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with \
                 correct Segment. TotalSegments: {total} Segment: {number}"
            );
            let start = Start::new(target, start).of_scan(&bounds, &outside)?;
            bounds = bounds.behind(start, true);
        }
        shape.check_scalars(paths(prepared.filter.as_ref(), prepared.projection.as_ref()))?;
        throttle::admit_read(self, &table, &shape, target.index.map(|index| &**index), None)?;
        let search = Search {
            target,
            bounds,
            is_forward: true,
            limit: what.limit,
            filter: prepared.filter,
            projection: prepared.projection,
            counts_only: what.select == Some(Select::Count),
            reads_table,
            is_consistent: what.consistent_read,
            by_partition: pays_by_partition(shape.definition.billing),
        };
        let (mut page, bill) = search.run(&self.store)?;
        throttle::charge_read(self, &table, &shape, &bill, None);
        page.consumed_capacity = bill.report(&table.name, what.return_consumed_capacity, None);
        Ok(page)
    }
}

/// The places of the segment that is asked for.
impl Scan {
    /// Is its segment one of as many as it says?
    ///
    /// ```
    /// use fourfold::kv::Scan;
    /// assert!(Scan::new("users").segment(3, 4).check_segment().is_ok());
    /// assert!(Scan::new("users").segment(4, 4).check_segment().is_err());
    /// ```
    ///
    /// # Errors
    /// `ValidationException` if it is not, or only one of the two is given.
    pub fn check_segment(&self) -> Result<()> {
        self.places().map(drop)
    }

    /// The places of the segment.
    fn places(&self) -> Result<Option<(u64, u64)>> {
        match (self.segment, self.total_segments) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(Error::validation(
                "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
                 present",
            )),
            (None, Some(_)) => Err(Error::validation(
                "The Segment parameter is required but was not present in the request when parameter TotalSegments is \
                 present",
            )),
            (_, Some(0)) => {
                constraint("0", "totalSegments", "Member must have value greater than or equal to 1")
            }
            (_, Some(total)) if total > SEGMENTS_MAX => constraint(
                &total.to_string(),
                "totalSegments",
                "Member must have value less than or equal to 1000000",
            ),
            (Some(number), Some(total)) if number >= total => Err(Error::validation(
                "The Segment parameter is zero-based and must be less than parameter TotalSegments",
            )),
            (Some(number), Some(total)) => Ok(Some(segment(number, total))),
        }
    }
}
