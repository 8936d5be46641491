//! Names that buckets may have.

use std::net::Ipv4Addr;

/// 3 to 63 of `a-z`, `0-9`, `-` and `.`; ends are letters or digits, as are those of each label between dots; not an
/// IPv4 address; none of the prefixes and suffixes that the service keeps for itself.
pub(crate) fn is_valid(name: &str) -> bool {
    const PREFIXES: [&str; 2] = ["xn--", "sthree-"];
    const SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if is_end(*first) && is_end(*last))
            && bytes.iter().all(|byte| is_end(*byte) || *byte == b'-')
    };
    (3..=63).contains(&name.len())
        && name.split('.').all(is_label)
        && name.parse::<Ipv4Addr>().is_err()
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["abc", "a-b.c", "0a0", "a--b", "1.2.3", "192.168.5.4.5", &"a".repeat(63)] {
            assert!(is_valid(name), "{name}");
        }
        let bad = [
            "",
            "ab",
            ".extents",
            "Abc",
            "a_b",
            "a..b",
            "a.-b",
            "a-.b",
            "-ab",
            "ab-",
            "ab.",
            "192.168.5.4",
            "xn--a",
        ];
        for name in bad.into_iter().chain(["a-s3alias", "a b", "\u{e9}\u{e9}\u{e9}", &"a".repeat(64)]) {
            assert!(!is_valid(name), "{name}");
        }
    }
}
