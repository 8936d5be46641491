//! What a writer says of an object besides its bytes: headers, user metadata, tags, storage class.

use crate::codec::{Malformed, Reader, Writer};
use crate::objects::error::{Error, Result};
use crate::objects::limits::{
    ATTRIBUTES_LEN_MAX, OBJECT_TAGS_MAX, TAG_KEY_LEN_MAX, TAG_VALUE_LEN_MAX, USER_METADATA_LEN_MAX,
};
use std::fmt;
use std::str::FromStr;

/// The content type of an object whose writer named none.
pub const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// Of the byte that says which headers there are: attributes follow the user metadata.
const HAS_ATTRIBUTES: u8 = 1 << 7;

/// Headers and user metadata of an object. A put replaces all of them.
///
/// ```
/// use fourfold::objects::Metadata;
/// let mut metadata = Metadata::default();
/// metadata.content_type = Some("image/png".to_owned());
/// metadata.insert("Camera", "Pinhole");
/// metadata.insert("camera", "Box");
/// assert_eq!(metadata.user, [("camera".to_owned(), "Pinhole,Box".to_owned())]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// `Content-Type`; [`DEFAULT_CONTENT_TYPE`] if there is none.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as it was given.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect: Option<String>,
    /// User metadata: names without `x-amz-meta-`, in lower case, and values. At most
    /// [2 KB](USER_METADATA_LEN_MAX) together.
    pub user: Vec<(String, String)>,
    /// What whoever stands in front of the bucket keeps beside an object, by names of its own: an access control list,
    /// how it was encrypted. Nothing here acts on it, and a copy has its [own](crate::objects::CopyObject::attributes).
    pub attributes: Vec<(String, String)>,
}

impl Metadata {
    /// Adds user metadata. Names are lower-cased; the values of a name that comes again are joined by commas, as the
    /// service joins headers.
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        let name = name.as_ref().to_ascii_lowercase();
        match self.user.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push(',');
                known.push_str(value.as_ref());
            }
            None => self.user.push((name, value.as_ref().to_owned())),
        }
    }

    /// The value of user metadata.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.user.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let attributes_len: usize =
            self.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if attributes_len > ATTRIBUTES_LEN_MAX {
            let rule = format!(
                "Attributes are {attributes_len} bytes long; the limit is {ATTRIBUTES_LEN_MAX} bytes"
            );
            return Err(Error::request(rule));
        }
        let len = self.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if len > USER_METADATA_LEN_MAX {
            return Err(Error::MetadataTooLarge { len });
        }
        Ok(())
    }

    const fn headers(&self) -> [&Option<String>; 7] {
        [
            &self.content_type,
            &self.cache_control,
            &self.content_disposition,
            &self.content_encoding,
            &self.content_language,
            &self.expires,
            &self.website_redirect,
        ]
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        let headers = self.headers();
        let present = headers.iter().enumerate().filter(|(_, header)| header.is_some());
        let attributes = if self.attributes.is_empty() { 0 } else { HAS_ATTRIBUTES };
        to.u8(present.fold(attributes, |bits, (index, _)| bits | 1 << index));
        headers.into_iter().flatten().for_each(|header| to.bytes(header.as_bytes()));
        encode_pairs(&self.user, to);
        if attributes != 0 {
            encode_pairs(&self.attributes, to);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let present = from.u8("headers")?;
        let mut header = |index: u32| (present >> index & 1 == 1).then(|| text(from, "header")).transpose();
        let (content_type, cache_control, content_disposition) = (header(0)?, header(1)?, header(2)?);
        let (content_encoding, content_language) = (header(3)?, header(4)?);
        let (expires, website_redirect) = (header(5)?, header(6)?);
        Ok(Self {
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
            website_redirect,
            user: decode_pairs(from, "user metadata")?,
            attributes: match present & HAS_ATTRIBUTES {
                0 => Vec::new(),
                _ => decode_attributes(from)?,
            },
        })
    }
}

/// A string behind its length.
pub(crate) fn text(from: &mut Reader<'_>, what: &'static str) -> Result<String, Malformed> {
    let before = from.clone();
    match std::str::from_utf8(from.bytes(what)?) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(before.malformed(what, "UTF-8", "other bytes")),
    }
}

fn encode_pairs(pairs: &[(String, String)], to: &mut Writer) {
    to.count(pairs.len());
    for (name, value) in pairs {
        to.bytes(name.as_bytes());
        to.bytes(value.as_bytes());
    }
}

fn decode_pairs(from: &mut Reader<'_>, what: &'static str) -> Result<Vec<(String, String)>, Malformed> {
    let count = from.count(2 * size_of::<u32>(), what)?;
    (0..count).map(|_| Ok((text(from, what)?, text(from, what)?))).collect()
}

/// Attributes that are said to be there: one form for each record, so none would be said otherwise.
fn decode_attributes(from: &mut Reader<'_>) -> Result<Vec<(String, String)>, Malformed> {
    let before = from.clone();
    let attributes = decode_pairs(from, "attributes")?;
    if attributes.is_empty() {
        return Err(before.malformed("attributes", "one at least", "none"));
    }
    Ok(attributes)
}

/// Tags of an object or a bucket, in the order they were given.
///
/// ```
/// use fourfold::{Store, objects::{PutObject, Tags}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("papers")?;
/// let tags = Tags::from([("state", "draft")]);
/// bucket.put_object(PutObject::new("a").tags(tags.clone()), "text")?;
/// assert_eq!(bucket.tagging("a", None)?.tags, tags);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<(String, String)>);

impl Tags {
    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| &**value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    pub(crate) fn check(&self, count_max: usize) -> Result<()> {
        let invalid =
            |key: &str, message| Err(Error::InvalidTag { message, key: key.to_owned(), value: None });
        for (index, (key, value)) in self.0.iter().enumerate() {
            if self.0[..index].iter().any(|(known, _)| known == key) {
                return invalid(key, "Cannot provide multiple Tags with the same key");
            }
            if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
                let is_objects = count_max == OBJECT_TAGS_MAX;
                let of_bucket = "System tags cannot be added/updated by requester";
                let message = if is_objects { "Your TagKey cannot be prefixed with aws:" } else { of_bucket };
                return invalid(key, message);
            }
            if key.is_empty() || !is_tag_text(key, TAG_KEY_LEN_MAX) {
                return invalid(key, "The TagKey you have provided is invalid");
            }
            if !is_tag_text(value, TAG_VALUE_LEN_MAX) {
                let message = "The TagValue you have provided is invalid";
                return Err(Error::InvalidTag { message, key: key.clone(), value: Some(value.clone()) });
            }
        }
        if self.len() > count_max {
            return Err(Error::TooManyTags { limit: count_max });
        }
        Ok(())
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        encode_pairs(&self.0, to);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        decode_pairs(from, "tags").map(Self)
    }
}

/// Letters, digits, spaces and `_.:/=+-@` in any script, not too many of them.
fn is_tag_text(text: &str, len_max: usize) -> bool {
    let is_space = |char: char| char.is_whitespace() && !char.is_control();
    let is_allowed = |char: char| char.is_alphanumeric() || is_space(char) || "_.:/=+-@".contains(char);
    text.encode_utf16().count() <= len_max && text.chars().all(is_allowed)
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Tags {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

/// The storage class of an object: a label, which changes nothing here.
///
/// ```
/// use fourfold::objects::StorageClass;
/// assert_eq!("GLACIER_IR".parse::<StorageClass>().unwrap(), StorageClass::GlacierIr);
/// assert_eq!(StorageClass::default().to_string(), "STANDARD");
/// assert_eq!("COLD".parse::<StorageClass>().unwrap_err().code(), "InvalidStorageClass");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageClass {
    /// `STANDARD`, the default.
    #[default]
    Standard,
    /// `REDUCED_REDUNDANCY`
    ReducedRedundancy,
    /// `STANDARD_IA`
    StandardIa,
    /// `ONEZONE_IA`
    OnezoneIa,
    /// `INTELLIGENT_TIERING`
    IntelligentTiering,
    /// `GLACIER`
    Glacier,
    /// `DEEP_ARCHIVE`
    DeepArchive,
    /// `OUTPOSTS`
    Outposts,
    /// `GLACIER_IR`
    GlacierIr,
    /// `SNOW`
    Snow,
    /// `EXPRESS_ONEZONE`
    ExpressOnezone,
}

impl StorageClass {
    /// In the order in which they are numbered on disk.
    pub const ALL: [Self; 11] = [
        Self::Standard,
        Self::ReducedRedundancy,
        Self::StandardIa,
        Self::OnezoneIa,
        Self::IntelligentTiering,
        Self::Glacier,
        Self::DeepArchive,
        Self::Outposts,
        Self::GlacierIr,
        Self::Snow,
        Self::ExpressOnezone,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::ReducedRedundancy => "REDUCED_REDUNDANCY",
            Self::StandardIa => "STANDARD_IA",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::Outposts => "OUTPOSTS",
            Self::GlacierIr => "GLACIER_IR",
            Self::Snow => "SNOW",
            Self::ExpressOnezone => "EXPRESS_ONEZONE",
        }
    }

    pub(crate) fn encode(self, to: &mut Writer) {
        let number = Self::ALL.iter().position(|known| *known == self);
        to.u8(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let before = from.clone();
        let number = from.u8("storage class")?;
        let class = Self::ALL.get(usize::from(number)).copied();
        class.ok_or_else(|| before.malformed("storage class", "a known number", number))
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// By its name on the wire; refused if objects of a bucket cannot be of it.
impl FromStr for StorageClass {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|class| class.name() == text);
        // Those are of places that are no buckets as this is one.
        let found =
            found.filter(|class| !matches!(class, Self::Outposts | Self::Snow | Self::ExpressOnezone));
        found.ok_or_else(|| Error::InvalidStorageClass { given: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_refused() {
        let refusal = |pairs: &[(&str, &str)]| {
            let error = pairs.iter().copied().collect::<Tags>().check(10).unwrap_err();
            (error.code(), error.to_string())
        };
        assert_eq!(
            refusal(&[("a", ""), ("a", "")]),
            ("InvalidTag", "Cannot provide multiple Tags with the same key".to_owned())
        );
        assert_eq!(refusal(&[("aws:x", "")]).1, "Your TagKey cannot be prefixed with aws:");
        assert_eq!(refusal(&[("", "")]).1, "The TagKey you have provided is invalid");
        assert_eq!(refusal(&[(&"k".repeat(129), "")]).1, "The TagKey you have provided is invalid");
        assert_eq!(refusal(&[("k", "a&b")]).1, "The TagValue you have provided is invalid");
        assert_eq!(refusal(&[("k\t", "")]).1, "The TagKey you have provided is invalid");
        let many: Vec<String> = (0..11).map(|key| key.to_string()).collect();
        let many: Vec<_> = many.iter().map(|key| (&**key, "")).collect();
        assert_eq!(refusal(&many), ("BadRequest", "Object tags cannot be greater than 10".to_owned()));
        assert!(Tags::from([("Gr\u{f6}\u{df}e", "2 x 3")]).check(10).is_ok());
    }

    #[test]
    fn there_is_one_form_of_no_attributes() {
        let mut bytes = Writer::with_capacity(16);
        Metadata::default().encode(&mut bytes);
        let mut bytes = bytes.into_vec();
        assert!(Metadata::decode(&mut Reader::new(&bytes)).is_ok());
        bytes[0] |= HAS_ATTRIBUTES;
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        let error = Metadata::decode(&mut Reader::new(&bytes)).unwrap_err();
        assert_eq!((error.what, &*error.found), ("attributes", "none"));
    }

    #[test]
    fn metadata_over_2_kb_is_refused() {
        let mut metadata = Metadata::default();
        metadata.insert("a", "v".repeat(2047));
        assert!(metadata.check().is_ok());
        metadata.insert("b", "");
        let error = metadata.check().unwrap_err();
        assert_eq!(error.code(), "MetadataTooLarge");
        assert_eq!(error.details()[0], ("Size", "2049".to_owned()));
    }
}
