//! Documents of answers, and times as they stand in them.

use crate::body::Body;
use crate::form;
use crate::xml::Xml;
use fourfold::Timestamp;
use http::header::CONTENT_TYPE as CONTENT_TYPE_NAME;
use http::{HeaderValue, Response};

pub(crate) const CONTENT_TYPE: &str = "application/xml";
pub(crate) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document without anything.
pub(crate) fn new() -> Xml {
    Xml::with_encoding()
}

/// An answer that is a document, in the namespace of the service.
pub(crate) fn answer(root: &str, content: impl FnOnce(&mut Xml)) -> Response<Body> {
    let mut xml = new();
    xml.element_with(root, &[("xmlns", NAMESPACE)], content);
    of(xml.finish())
}

/// An answer with this document.
pub(crate) fn of(text: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    answer.headers_mut().insert(CONTENT_TYPE_NAME, HeaderValue::from_static(CONTENT_TYPE));
    answer
}

/// An answer with nothing but a status.
pub(crate) fn empty(status: u16) -> Response<Body> {
    let mut answer = Response::new(Body::default());
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

/// A time in a document: whole seconds, with the zeros that the service has behind them.
pub(crate) fn iso(time: Timestamp) -> String {
    Timestamp::from_secs(time.as_secs()).to_string()
}

/// A time in a refusal, where the service has no such zeros.
pub(crate) fn iso_of_refusal(time: Timestamp) -> String {
    iso(time).replace(".000Z", "Z")
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time in a header, as RFC 1123 has it.
pub(crate) fn http_date(time: Timestamp) -> String {
    let text = time.to_string();
    let weekday = usize::try_from(time.as_secs() / 86_400 % 7).unwrap_or_default();
    let (date, clock) = text.split_once('T').unwrap_or_default();
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month.and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let month = MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or_default();
    let clock = clock.get(..8).unwrap_or_default();
    format!("{}, {} {month} {} {clock} GMT", DAYS[weekday], day.unwrap_or_default(), year.unwrap_or_default())
}

/// Reads a time of a header: RFC 1123, RFC 850 or ISO 8601.
pub(crate) fn parse_http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(time) = parse_iso(text) {
        return Some(time);
    }
    let (_, rest) = text.split_once(',')?;
    let mut words = rest.split([' ', '-']).filter(|word| !word.is_empty());
    let (day, month, year) = (words.next()?.parse().ok()?, words.next()?, words.next()?.parse::<u64>().ok()?);
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))? as u64 + 1;
    let year = match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        _ => year,
    };
    moment((year, month, day), words.next()?)
}

/// Reads a time of a document: `YYYY-MM-DD`, with or without a time of the day.
pub(crate) fn parse_iso(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let date = (parts.next()??, parts.next()??, parts.next()??);
    let clock = clock.trim_end_matches('Z');
    let clock = clock.strip_suffix("+00:00").unwrap_or(clock);
    let (clock, millis) = clock.split_once('.').unwrap_or((clock, "0"));
    let millis = format!("{millis:0<3}").get(..3)?.parse::<u64>().ok()?;
    let time = moment(date, clock)?;
    Some(Timestamp::from_millis(time.as_millis() + millis))
}

fn moment((year, month, day): (u64, u64, u64), clock: &str) -> Option<Timestamp> {
    let mut parts = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    crate::signature::moment((year, month, day), (hour, minute, second))
}

/// Keys and prefixes as a listing has them: as they are, or as in a URL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Naming {
    pub(crate) is_url: bool,
}

impl Naming {
    pub(crate) fn show(self, text: &str) -> String {
        if !self.is_url {
            return text.to_owned();
        }
        let mut encoded = String::with_capacity(text.len());
        form::encode(text, |byte| matches!(byte, b'/' | b'*'), &mut encoded);
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for secs in [0, 951_782_400, 1_735_689_600, 4_102_444_799] {
            let time = Timestamp::from_secs(secs);
            assert_eq!(parse_http_date(&http_date(time)), Some(time));
            assert_eq!(parse_iso(&iso(time)), Some(time));
        }
        assert_eq!(http_date(Timestamp::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"),
            Some(Timestamp::from_secs(784_111_777))
        );
        assert_eq!(parse_iso("2030-01-01"), Some(Timestamp::from_secs(1_893_456_000)));
        for bad in ["", "x", "2030-13-01T00:00:00Z", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(parse_http_date(bad), None, "{bad}");
        }
    }
}
