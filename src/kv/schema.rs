//! What a table is made of: keys, indexes, projections, and the settings that stay with it.

use crate::kv::names::named;

named! {
    /// What an attribute of a key schema is for.
    ///
    /// ```
    /// # use fourfold::kv::KeyType;
    /// assert_eq!(KeyType::from_name("RANGE"), Some(KeyType::Range));
    /// ```
    pub enum KeyType {
        /// The partition key: items with the same one lie together.
        Hash = "HASH",
        /// The sort key: the order within a partition.
        Range = "RANGE",
    }
}

named! {
    /// The types that a key attribute can have.
    ///
    /// ```
    /// # use fourfold::kv::ScalarType;
    /// assert_eq!(ScalarType::N.name(), "N");
    /// ```
    pub enum ScalarType {
        /// A string, in the order of its UTF-8 bytes.
        S = "S",
        /// A number, in the order of its value.
        N = "N",
        /// Bytes, in unsigned order.
        B = "B",
    }
}

named! {
    /// Which attributes an index holds.
    ///
    /// ```
    /// # use fourfold::kv::ProjectionType;
    /// assert_eq!(ProjectionType::KeysOnly.to_string(), "KEYS_ONLY");
    /// ```
    pub enum ProjectionType {
        /// All of the item.
        All = "ALL",
        /// The keys of table and index.
        KeysOnly = "KEYS_ONLY",
        /// The keys and the attributes that are named.
        Include = "INCLUDE",
    }
}

named! {
    /// How throughput is paid for. Kept and described; it limits nothing unless a dial says so.
    ///
    /// ```
    /// # use fourfold::kv::BillingMode;
    /// assert_eq!(BillingMode::from_name("PAY_PER_REQUEST"), Some(BillingMode::PayPerRequest));
    /// ```
    pub enum BillingMode {
        /// So many units per second.
        Provisioned = "PROVISIONED",
        /// By request.
        PayPerRequest = "PAY_PER_REQUEST",
    }
}

named! {
    /// The storage class of a table. Kept and described, without effect.
    ///
    /// ```
    /// # use fourfold::kv::TableClass;
    /// assert_eq!(TableClass::Standard.name(), "STANDARD");
    /// ```
    pub enum TableClass {
        /// The default.
        Standard = "STANDARD",
        /// For what is seldom read.
        StandardInfrequentAccess = "STANDARD_INFREQUENT_ACCESS",
    }
}

named! {
    /// What a change record shows of the item.
    ///
    /// ```
    /// # use fourfold::kv::StreamViewType;
    /// assert_eq!(StreamViewType::from_name("NEW_IMAGE"), Some(StreamViewType::NewImage));
    /// ```
    pub enum StreamViewType {
        /// Its key.
        KeysOnly = "KEYS_ONLY",
        /// All of it as it is afterwards.
        NewImage = "NEW_IMAGE",
        /// All of it as it was before.
        OldImage = "OLD_IMAGE",
        /// Both.
        NewAndOldImages = "NEW_AND_OLD_IMAGES",
    }
}

named! {
    /// Where a table or an index stands.
    ///
    /// ```
    /// # use fourfold::kv::TableStatus;
    /// assert_eq!(TableStatus::Active.name(), "ACTIVE");
    /// ```
    pub enum TableStatus {
        /// It is being made; it takes no reads or writes yet.
        Creating = "CREATING",
        /// It is being changed.
        Updating = "UPDATING",
        /// It is being removed.
        Deleting = "DELETING",
        /// It serves.
        Active = "ACTIVE",
    }
}

/// One attribute of a key schema.
///
/// ```
/// use fourfold::kv::{KeyElement, KeyType};
/// assert_eq!(KeyElement::hash("id").key_type, KeyType::Hash);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyElement {
    /// The attribute, 1 to 255 bytes.
    pub name: String,
    /// What it is for.
    pub key_type: KeyType,
}

impl KeyElement {
    /// A partition key.
    pub fn hash(name: impl Into<String>) -> Self {
        Self { name: name.into(), key_type: KeyType::Hash }
    }

    /// A sort key.
    pub fn range(name: impl Into<String>) -> Self {
        Self { name: name.into(), key_type: KeyType::Range }
    }
}

/// The type of an attribute that some key uses.
///
/// ```
/// use fourfold::kv::{AttributeDefinition, ScalarType};
/// assert_eq!(AttributeDefinition::new("id", ScalarType::S).name, "id");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeDefinition {
    /// The attribute.
    pub name: String,
    /// The type that its values must have.
    pub scalar_type: ScalarType,
}

impl AttributeDefinition {
    /// The attribute `name` has values of this type.
    pub fn new(name: impl Into<String>, scalar_type: ScalarType) -> Self {
        Self { name: name.into(), scalar_type }
    }
}

/// Which attributes an index holds, as a request says it.
///
/// ```
/// use fourfold::kv::{Projection, ProjectionType};
/// assert_eq!(Projection::all().projection_type, Some(ProjectionType::All));
/// assert_eq!(Projection::include(["mail"]).non_key_attributes.unwrap(), ["mail"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// The kind; a request without one is refused.
    pub projection_type: Option<ProjectionType>,
    /// The attributes besides the keys, 1 to 20, for [`ProjectionType::Include`] alone.
    pub non_key_attributes: Option<Vec<String>>,
}

impl Projection {
    /// All of the item.
    pub fn all() -> Self {
        Self { projection_type: Some(ProjectionType::All), non_key_attributes: None }
    }

    /// The keys of table and index.
    pub fn keys_only() -> Self {
        Self { projection_type: Some(ProjectionType::KeysOnly), non_key_attributes: None }
    }

    /// The keys and these attributes.
    pub fn include<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        Self { projection_type: Some(ProjectionType::Include), non_key_attributes: Some(names) }
    }
}

/// Provisioned capacity, units per second; each 1 or more.
///
/// ```
/// let throughput = fourfold::kv::Throughput { read: 5, write: 1 };
/// assert_eq!(throughput.read, 5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throughput {
    /// Read capacity units.
    pub read: i64,
    /// Write capacity units.
    pub write: i64,
}

/// The most that a table paid by request may use, units per second; -1 clears a limit.
///
/// ```
/// let limit = fourfold::kv::OnDemandThroughput { max_read: Some(100), max_write: None };
/// assert_eq!(limit.max_read, Some(100));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemandThroughput {
    /// Read request units.
    pub max_read: Option<i64>,
    /// Write request units.
    pub max_write: Option<i64>,
}

/// Capacity that is kept warm. Kept and described, without effect.
///
/// ```
/// let warm = fourfold::kv::WarmThroughput { read: Some(12_000), write: Some(4_000) };
/// assert_eq!(warm.write, Some(4_000));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmThroughput {
    /// Read units per second.
    pub read: Option<i64>,
    /// Write units per second.
    pub write: Option<i64>,
}

/// Encryption at rest. Kept and described; the store encrypts nothing.
///
/// ```
/// let sse = fourfold::kv::SseSpecification { enabled: Some(true), ..Default::default() };
/// assert_eq!(sse.kms_key, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseSpecification {
    /// With a key of the account's, not of the service's?
    pub enabled: Option<bool>,
    /// `AES256` or `KMS`.
    pub sse_type: Option<String>,
    /// The key.
    pub kms_key: Option<String>,
}

/// Whether changes are recorded, and what the records show.
///
/// ```
/// use fourfold::kv::{StreamSpecification, StreamViewType};
/// assert!(StreamSpecification::enabled(StreamViewType::NewImage).enabled);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpecification {
    /// Are changes recorded?
    pub enabled: bool,
    /// What a record shows; needed to enable, refused to disable.
    pub view_type: Option<StreamViewType>,
}

impl StreamSpecification {
    /// Changes are recorded like this.
    pub fn enabled(view_type: StreamViewType) -> Self {
        Self { enabled: true, view_type: Some(view_type) }
    }

    /// Changes are not recorded.
    pub fn disabled() -> Self {
        Self { enabled: false, view_type: None }
    }
}

/// A key and a value that users hang on a table.
///
/// ```
/// assert_eq!(fourfold::kv::Tag::new("stage", "test").value, "test");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 1 to 128 characters: letters, digits, space and `+-=._:/`.
    pub key: String,
    /// 0 to 256 of the same.
    pub value: String,
}

impl Tag {
    /// A tag.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// An index as a request describes it.
///
/// ```
/// use fourfold::kv::{Index, Projection};
/// let index = Index::new("by_mail").hash("mail").range("joined").project(Projection::keys_only());
/// assert_eq!(index.key_schema.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// 3 to 255 of `a-z`, `A-Z`, `0-9`, `_`, `-`, `.`.
    pub name: String,
    /// Its keys: partition keys first. A local index has the table's partition key and a sort key; a global one up to four
    /// of each.
    pub key_schema: Vec<KeyElement>,
    /// What it holds.
    pub projection: Projection,
    /// Provisioned capacity, for a global index of a provisioned table.
    pub throughput: Option<Throughput>,
    /// Limits, for a global index of a table paid by request.
    pub on_demand: Option<OnDemandThroughput>,
    /// Kept warm.
    pub warm: Option<WarmThroughput>,
}

impl Index {
    /// An index that holds all of each item, without keys yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), projection: Projection::all(), ..Self::default() }
    }

    /// Adds a partition key.
    #[must_use]
    pub fn hash(mut self, attribute: impl Into<String>) -> Self {
        self.key_schema.push(KeyElement::hash(attribute));
        self
    }

    /// Adds a sort key.
    #[must_use]
    pub fn range(mut self, attribute: impl Into<String>) -> Self {
        self.key_schema.push(KeyElement::range(attribute));
        self
    }

    /// Says what it holds.
    #[must_use]
    pub fn project(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }
}
