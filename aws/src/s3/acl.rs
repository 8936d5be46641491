//! Access control lists: who is granted what, in documents, headers and by canned names.

use crate::s3::access::Caller;
use crate::s3::ask::Ask;
use crate::s3::document::{self, NAMESPACE};
use crate::s3::error::{Error, Result};
use crate::s3::tree::Node;
use crate::signature::hex;
use crate::xml::Xml;
use sha2::{Digest, Sha256};

/// Most grants of a list.
const GRANTS_MAX: usize = 100;
pub(crate) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
pub(crate) const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Who is granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grantee {
    /// By canonical id.
    User(String),
    /// By URI.
    Group(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

impl Permission {
    const ALL: [Self; 5] = [Self::Read, Self::Write, Self::ReadAcp, Self::WriteAcp, Self::FullControl];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
            Self::FullControl => "FULL_CONTROL",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::Read => "x-amz-grant-read",
            Self::Write => "x-amz-grant-write",
            Self::ReadAcp => "x-amz-grant-read-acp",
            Self::WriteAcp => "x-amz-grant-write-acp",
            Self::FullControl => "x-amz-grant-full-control",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acl {
    pub(crate) owner: String,
    pub(crate) grants: Vec<(Grantee, Permission)>,
}

/// The canonical id of an account: 64 hexadecimal digits, always the same.
pub(crate) fn canonical_id(account: &str) -> String {
    hex(&Sha256::digest(format!("account {account}").as_bytes()))
}

/// An account in a document.
pub(crate) fn owner(xml: &mut Xml, name: &str, account: &str) {
    xml.element(name, |xml| {
        xml.text("ID", &canonical_id(account));
        xml.text("DisplayName", account);
    });
}

impl Acl {
    /// The owner may do everything, others nothing.
    pub(crate) fn private(account: &str) -> Self {
        let owner = canonical_id(account);
        Self { grants: vec![(Grantee::User(owner.clone()), Permission::FullControl)], owner }
    }

    fn canned(name: &str, account: &str) -> Result<Self> {
        let mut acl = Self::private(account);
        let groups: &[(&str, Permission)] = match name {
            "private" | "bucket-owner-read" | "bucket-owner-full-control" | "aws-exec-read" => &[],
            "public-read" => &[(ALL_USERS, Permission::Read)],
            "public-read-write" => &[(ALL_USERS, Permission::Read), (ALL_USERS, Permission::Write)],
            "authenticated-read" => &[(AUTHENTICATED_USERS, Permission::Read)],
            "log-delivery-write" => &[(LOG_DELIVERY, Permission::Write), (LOG_DELIVERY, Permission::ReadAcp)],
            _ => return Err(Error::argument("x-amz-acl", name, "")),
        };
        acl.grants.extend(groups.iter().map(|(uri, what)| (Grantee::Group((*uri).to_owned()), *what)));
        Ok(acl)
    }

    /// What headers say; none if they say nothing.
    pub(crate) fn of_headers(ask: &Ask<'_>) -> Result<Option<Self>> {
        let account = ask.store.account();
        let canned = ask.header("x-amz-acl");
        let grants = Permission::ALL.into_iter().filter_map(|what| Some((what, ask.header(what.header())?)));
        let grants: Vec<(Permission, &str)> = grants.collect();
        match (canned, grants.is_empty()) {
            (Some(_), false) => {
                Err(Error::request("Specifying both Canned ACLs and Header Grants is not allowed"))
            }
            (Some(name), true) => Self::canned(name, account).map(Some),
            (None, true) => Ok(None),
            (None, false) => {
                let mut acl = Self { owner: canonical_id(account), grants: Vec::new() };
                for (what, text) in grants {
                    for one in text.split(',') {
                        acl.grants.push((Grantee::of_header(what, one.trim(), account)?, what));
                    }
                }
                Ok(Some(acl))
            }
        }
    }

    /// By the name of the form field or header `x-amz-acl`.
    pub(crate) fn of_canned(name: &str, account: &str) -> Result<Self> {
        Self::canned(name, account)
    }

    /// From a document.
    pub(crate) fn parse(text: &[u8], account: &str) -> Result<Self> {
        let invalid = || {
            let message =
                "The XML you provided was not well-formed or did not validate against our published schema";
            Error::new("MalformedACLError", 400, message)
        };
        let root = Node::parse(text, "AccessControlPolicy").map_err(|_| invalid())?;
        let owner = root.child("Owner").and_then(|owner| owner.text_of("ID")).ok_or_else(invalid)?;
        let list = root.child("AccessControlList").ok_or_else(invalid)?;
        Grantee::user("CanonicalUser/ID", owner, account)?;
        if owner != canonical_id(account) {
            return Err(Error::denied());
        }
        let mut acl = Self { owner: owner.to_owned(), grants: Vec::new() };
        for grant in list.all("Grant") {
            let what = grant.text_of("Permission").ok_or_else(invalid)?;
            let what = Permission::ALL.into_iter().find(|known| known.name() == what).ok_or_else(invalid)?;
            let grantee = Grantee::of_node(grant.child("Grantee").ok_or_else(invalid)?, account)?;
            acl.grants.push((grantee.ok_or_else(invalid)?, what));
        }
        if acl.grants.len() > GRANTS_MAX {
            return Err(Error::request("The ACL has more than 100 grants"));
        }
        Ok(acl)
    }

    /// As it is kept, and as it is shown.
    pub(crate) fn document(&self, account: &str) -> String {
        let mut xml = document::new();
        xml.element_with("AccessControlPolicy", &[("xmlns", NAMESPACE)], |xml| {
            xml.element("Owner", |xml| self.write_user(xml, &self.owner, account));
            xml.element("AccessControlList", |xml| {
                for (grantee, what) in &self.grants {
                    xml.element("Grant", |xml| {
                        self.write_grantee(xml, grantee, account);
                        xml.text("Permission", what.name());
                    });
                }
            });
        });
        xml.finish()
    }

    fn write_user(&self, xml: &mut Xml, id: &str, account: &str) {
        xml.text("ID", id);
        if id == self.owner {
            xml.text("DisplayName", account);
        }
    }

    fn write_grantee(&self, xml: &mut Xml, grantee: &Grantee, account: &str) {
        let kind = match grantee {
            Grantee::User(_) => "CanonicalUser",
            Grantee::Group(_) => "Group",
        };
        xml.element_with("Grantee", &[("xmlns:xsi", XSI), ("xsi:type", kind)], |xml| match grantee {
            Grantee::User(id) => self.write_user(xml, id, account),
            Grantee::Group(uri) => xml.text("URI", uri),
        });
    }

    /// Is the caller, who is not the owner, granted this?
    pub(crate) fn allows(&self, caller: &Caller, wanted: Permission) -> bool {
        self.grants.iter().any(|(grantee, what)| {
            let is_meant = match (grantee, caller) {
                (Grantee::Group(uri), _) if uri == ALL_USERS => true,
                (Grantee::Group(uri), Caller::Other(_)) => uri == AUTHENTICATED_USERS,
                (Grantee::User(id), Caller::Other(account)) => *id == canonical_id(account),
                _ => false,
            };
            is_meant && (*what == wanted || *what == Permission::FullControl)
        })
    }

    /// Does it grant everybody anything?
    pub(crate) fn is_public(&self) -> bool {
        self.grants.iter().any(|(grantee, _)| {
            matches!(grantee, Grantee::Group(uri) if uri == ALL_USERS || uri == AUTHENTICATED_USERS)
        })
    }
}

impl Grantee {
    /// `id="..."`, `uri="..."` or `emailAddress="..."`.
    fn of_header(what: Permission, text: &str, account: &str) -> Result<Self> {
        let bad = || Error::argument(what.header(), text, "Argument format not recognized");
        let (kind, value) = text.split_once('=').ok_or_else(bad)?;
        let value = value.trim().trim_matches('"');
        match kind.trim() {
            "id" => Self::user("id", value, account),
            "uri" => Self::group("uri", value),
            "emailAddress" => Err(no_such_mail(value)),
            _ => Err(bad()),
        }
    }

    fn of_node(node: &Node, account: &str) -> Result<Option<Self>> {
        if let Some(id) = node.text_of("ID") {
            return Self::user("CanonicalUser/ID", id, account).map(Some);
        }
        if let Some(uri) = node.text_of("URI") {
            return Self::group("Group/URI", uri).map(Some);
        }
        node.text_of("EmailAddress").map_or(Ok(None), |mail| Err(no_such_mail(mail)))
    }

    /// Ids of accounts are 64 hexadecimal digits.
    fn user(argument: &'static str, id: &str, account: &str) -> Result<Self> {
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id || id == canonical_id(account) {
            return Ok(Self::User(id.to_owned()));
        }
        Err(Error::argument(argument, id, "Invalid id"))
    }

    fn group(argument: &'static str, uri: &str) -> Result<Self> {
        if [ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY].contains(&uri) {
            return Ok(Self::Group(uri.to_owned()));
        }
        Err(Error::argument(argument, uri, "Invalid group uri"))
    }
}

/// Accounts here have no mail addresses.
fn no_such_mail(mail: &str) -> Error {
    let message = "The e-mail address you provided does not match any account on record.";
    Error::new("UnresolvableGrantByEmailAddress", 400, message).with("emailAddress", mail)
}
