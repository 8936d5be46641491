//! Known values, joins against hashing the whole, and every text and byte string that is none.

use super::*;
use crate::codec::{Reader, Writer};
use proptest::prelude::*;

const CRCS: [ChecksumAlgorithm; 3] =
    [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme];

/// The catalogue's check values, over `123456789`, and those over nothing.
#[test]
fn known_values() {
    let known = [
        (ChecksumAlgorithm::Crc32, "y/Q5Jg==", "AAAAAA=="),
        (ChecksumAlgorithm::Crc32c, "4waSgw==", "AAAAAA=="),
        (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg=", "AAAAAAAAAAA="),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE=", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        (
            ChecksumAlgorithm::Sha256,
            "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
        (
            ChecksumAlgorithm::Sha512,
            "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==",
            "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        ),
        (ChecksumAlgorithm::Md5, "JfnnlDI7RTiF9RgfG2JNCw==", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        (ChecksumAlgorithm::XxHash64, "jLhB20DmroM=", "70bbN1HY6Zk="),
    ];
    for (algorithm, nine, nothing) in known {
        assert_eq!(ChecksumHasher::digest(algorithm, b"123456789").to_string(), nine, "{algorithm}");
        assert_eq!(ChecksumHasher::digest(algorithm, b"").to_string(), nothing, "{algorithm}");
    }
    let nothing = |algorithm| ChecksumHasher::digest(algorithm, b"").to_string();
    assert_eq!(nothing(ChecksumAlgorithm::XxHash3), "LQaABTjTlMI=");
    assert_eq!(nothing(ChecksumAlgorithm::XxHash128), "maoG0wFHmNhgAcMkRo1Jfw==");
}

fn of_parts(algorithm: ChecksumAlgorithm, kind: ChecksumType, parts: &[&[u8]]) -> Checksum {
    let mut whole = ChecksumOfParts::new(algorithm, kind).unwrap();
    for part in parts {
        whole.push(&ChecksumHasher::digest(algorithm, part), part.len() as u64);
    }
    whole.finish()
}

/// Calculated by other means.
#[test]
fn known_composites() {
    let composite = |algorithm| of_parts(algorithm, ChecksumType::Composite, &[b"hello ", b"world"]);
    assert_eq!(composite(ChecksumAlgorithm::Crc32).to_string(), "1Fu2mQ==-2");
    assert_eq!(
        composite(ChecksumAlgorithm::Sha256).to_string(),
        "Zhie15keHg/OBlOZxcoF/BXCgYZaeimRvdZnwUZqkaQ=-2"
    );
    assert!(ChecksumOfParts::new(ChecksumAlgorithm::Crc64Nvme, ChecksumType::Composite).is_none());
    assert!(ChecksumOfParts::new(ChecksumAlgorithm::Sha256, ChecksumType::FullObject).is_none());
}

/// Lengths no test could hash: against the library's own way, which works with matrices.
#[test]
fn joins_parts_of_any_length() {
    let crc = |algorithm| match algorithm {
        ChecksumAlgorithm::Crc32 => crc_fast::CrcAlgorithm::Crc32IsoHdlc,
        ChecksumAlgorithm::Crc32c => crc_fast::CrcAlgorithm::Crc32Iscsi,
        _ => crc_fast::CrcAlgorithm::Crc64Nvme,
    };
    for algorithm in CRCS {
        let (first, second) =
            (ChecksumHasher::digest(algorithm, b"first"), ChecksumHasher::digest(algorithm, b"second"));
        for len in [0, 1, 6, 5 << 20, 5 << 30, u64::MAX] {
            let mut parts = ChecksumOfParts::new(algorithm, ChecksumType::FullObject).unwrap();
            parts.push(&first, 5);
            parts.push(&second, len);
            let number = |checksum: &Checksum| {
                checksum.bytes().iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            };
            let expected = crc_fast::checksum_combine(crc(algorithm), number(&first), number(&second), len);
            assert_eq!(number(&parts.finish()), expected, "{algorithm} {len}");
        }
    }
}

proptest! {
    #[test]
    fn joined_crcs_are_those_of_the_whole(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        for algorithm in CRCS {
            let joined = of_parts(algorithm, ChecksumType::FullObject, &parts);
            prop_assert_eq!(joined, ChecksumHasher::digest(algorithm, &bytes));
        }
        for algorithm in ChecksumAlgorithm::ALL {
            let mut hasher = ChecksumHasher::new(algorithm);
            for part in &parts {
                hasher.update(part);
            }
            prop_assert_eq!(hasher.finish(), ChecksumHasher::digest(algorithm, &bytes));
        }
    }

    #[test]
    fn text_and_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..64), parts in 0_u32..10_001) {
        for algorithm in ChecksumAlgorithm::ALL {
            let mut checksum = ChecksumHasher::digest(algorithm, &bytes);
            if parts > 0 && algorithm.supports(ChecksumType::Composite) {
                checksum = checksum.composite(parts);
            }
            prop_assert_eq!(Checksum::parse(algorithm, &checksum.to_string()), Ok(checksum));
            let mut stored = Writer::new();
            checksum.encode(&mut stored);
            let stored = stored.into_vec();
            let mut reader = Reader::new(&stored);
            prop_assert_eq!(Checksum::decode(&mut reader), Ok(checksum));
            prop_assert_eq!(reader.finish("end"), Ok(()));
            for len in 0..stored.len() {
                prop_assert!(Checksum::decode(&mut Reader::new(&stored[..len])).is_err());
            }
        }
    }
}

#[test]
fn texts_that_are_no_checksums() {
    let refused = |text: &str| {
        let error = Checksum::parse(ChecksumAlgorithm::Crc32, text).expect_err(text);
        assert_eq!(error, ChecksumError::InvalidValue { header: "x-amz-checksum-crc32" });
        assert_eq!(error.code(), "InvalidRequest");
    };
    for text in [
        "",
        "DUoRhQ",
        "DUoRhQ=",
        "DUoR/===",
        "DUoRhQ==DUoRhQ==",
        "rosUhgp5mIg=",
        "DUoRhQ==-",
        "DUoRhQ==-0",
        "DUoRhQ==-x",
        "DUoRhQ==-+1",
        "DUoRhQ==-99999999999",
        " DUoRhQ==",
        "D_oRhQ==",
    ] {
        refused(text);
    }
    let error = Checksum::parse(ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg=-2").unwrap_err();
    assert_eq!(error.to_string(), "Value for x-amz-checksum-crc64nvme header is invalid.");
}

#[test]
fn bytes_that_are_no_checksums() {
    let decode = |bytes: &[u8]| Checksum::decode(&mut Reader::new(bytes));
    assert_eq!(decode(&[10, 0, 0, 0, 0, 1, 2, 3, 4]).unwrap_err().what, "checksum algorithm");
    assert_eq!(decode(&[2, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).unwrap_err().what, "parts of a checksum");
    assert_eq!(decode(&[0, 0, 0, 0, 0, 1, 2, 3]).unwrap_err().what, "checksum");
}

/// The numbers on disk stay.
#[test]
fn stored_bytes() {
    let first_bytes = ChecksumAlgorithm::ALL.map(|algorithm| {
        let mut stored = Writer::new();
        ChecksumHasher::digest(algorithm, b"").encode(&mut stored);
        assert_eq!(stored.len(), 5 + algorithm.digest_len());
        (stored.as_slice()[0], algorithm.name())
    });
    assert_eq!(
        first_bytes,
        [
            (0, "CRC32"),
            (1, "CRC32C"),
            (2, "CRC64NVME"),
            (3, "SHA1"),
            (4, "SHA256"),
            (5, "SHA512"),
            (6, "MD5"),
            (7, "XXHASH64"),
            (8, "XXHASH3"),
            (9, "XXHASH128"),
        ]
    );
}

#[test]
fn names_are_in_three_forms() {
    for algorithm in ChecksumAlgorithm::ALL {
        assert_eq!(algorithm.lower_name(), algorithm.name().to_lowercase());
        assert_eq!(algorithm.header(), format!("x-amz-checksum-{}", algorithm.lower_name()));
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
        assert_eq!(algorithm.lower_name().parse(), Ok(algorithm));
        assert!(algorithm.supports(algorithm.multipart_type()));
        assert_eq!(ChecksumHasher::digest(algorithm, b"").bytes().len(), algorithm.digest_len());
    }
    assert_eq!("crc16".parse::<ChecksumAlgorithm>().unwrap_err().code(), "InvalidRequest");
}

#[test]
fn refusals_in_the_words_of_the_service() {
    let text = |error: ChecksumError| format!("{}: {error}", error.code());
    let md5 = ContentMd5::parse("XUFAKrxLKna5cZ2REBfFkg==").unwrap();
    assert_eq!(
        text(md5.verify(&[1; 16]).unwrap_err()),
        "BadDigest: The Content-MD5 you specified did not match what we received."
    );
    for given in ["", "YWJj", "not base64 of a digest!!", "XUFAKrxLKna5cZ2REBfFkg"] {
        assert_eq!(
            text(ContentMd5::parse(given).unwrap_err()),
            "InvalidDigest: The Content-MD5 you specified was invalid."
        );
    }
    let (one, other) = (
        ChecksumHasher::digest(ChecksumAlgorithm::Sha256, b"1").composite(2),
        ChecksumHasher::digest(ChecksumAlgorithm::Sha256, b"2").composite(2),
    );
    assert_eq!(
        text(one.verify_completed(&other).unwrap_err()),
        "BadDigest: The sha256 you specified did not match the calculated checksum."
    );
    let uncounted = Checksum::parse(ChecksumAlgorithm::Sha256, &one.base64()).unwrap();
    assert_eq!(uncounted.verify_completed(&one), Ok(()), "the number of parts may be left out");
    assert!(one.composite(3).verify_completed(&one).is_err(), "but not be wrong");
    assert_eq!(
        text(ChecksumError::OtherAlgorithm {
            expected: ChecksumAlgorithm::Sha1,
            actual: ChecksumAlgorithm::Crc32
        }),
        "InvalidRequest: Checksum Type mismatch occurred, expected checksum Type: sha1, actual checksum Type: crc32"
    );
    assert_eq!(
        text(ChecksumError::MissingPartChecksum { algorithm: ChecksumAlgorithm::Sha256, part_number: 1 }),
        "InvalidRequest: The upload was created using a sha256 checksum. The complete request must include the \
         checksum for each part. It was missing for part 1 in the request."
    );
    assert_eq!(
        text(ChecksumAlgorithm::of_upload(None, Some(ChecksumType::FullObject)).unwrap_err()),
        "InvalidRequest: The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
    );
    let composite =
        ChecksumAlgorithm::of_upload(Some(ChecksumAlgorithm::Crc64Nvme), Some(ChecksumType::Composite));
    assert_eq!(
        text(composite.unwrap_err()),
        "InvalidRequest: The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."
    );
}
