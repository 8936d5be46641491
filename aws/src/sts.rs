//! AWS STS, as far as tools ask first who they are: `GetCallerIdentity`.

use crate::call::Call;
use crate::reply::{Reply, reply, set};
use crate::xml::Xml;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Says that the caller is the root of the account of its key.
pub(crate) fn caller_identity(call: &Call<'_>) -> Reply {
    let (account, id) = (call.account, call.id.uuid());
    let mut xml = Xml::new();
    xml.element_with("GetCallerIdentityResponse", &[("xmlns", NAMESPACE)], |xml| {
        xml.element("GetCallerIdentityResult", |xml| {
            xml.text("Arn", &format!("arn:aws:iam::{account}:root"));
            xml.text("UserId", account);
            xml.text("Account", account);
        });
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", &id));
    });
    let mut reply = reply(200, "text/xml", xml.finish());
    set(&mut reply, "x-amzn-requestid", &id);
    reply
}
