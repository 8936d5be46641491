//! What is accepted, what is due when, what is stored: by table, and by a model that goes day by day.

use super::due::{Object, What};
use super::*;
use crate::clock::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);
/// 2025-01-01T00:00:00Z.
const NEW_YEAR: Timestamp = Timestamp::from_secs(1_735_689_600);

fn rule(change: impl FnOnce(&mut LifecycleRule)) -> LifecycleRule {
    let mut rule = LifecycleRule::default();
    change(&mut rule);
    rule
}

fn expiring(prefix: &str, days: i32) -> LifecycleRule {
    let mut rule = LifecycleRule::for_prefix(prefix);
    rule.expiration.days = Some(days);
    rule
}

fn object(size: u64, tags: &[(String, String)]) -> Object<'_> {
    Object { size, tags, class: None }
}

fn current<'a>(key: &'a str, object: Object<'a>, created: Timestamp) -> Subject<'a> {
    Subject { key, what: What::Current(object, created) }
}

fn removal(rules: &LifecycleConfiguration, subject: &Subject<'_>) -> Option<(Timestamp, Action)> {
    rules.removal(subject, Day::default()).map(|due| (due.at, due.action))
}

/// The example of the user guide: 10:30 on the 15th and three days are midnight of the 19th.
#[test]
fn days_end_at_the_next_midnight() {
    let day = Day::default();
    let at =
        |day: u64, millis| NEW_YEAR + DAY * u32::try_from(day - 1).unwrap() + Duration::from_millis(millis);
    let half_past_ten = 37_800_000;
    assert_eq!(day.midnight_after(at(15, half_past_ten), 3), at(19, 0));
    assert_eq!(day.midnight_after(at(15, 0), 3), at(19, 0), "a midnight is not later than itself");
    assert_eq!(day.midnight_after(at(15, 86_399_999), 3), at(19, 0));
    assert_eq!(day.midnight_after(at(15, half_past_ten), 0), at(16, 0));
    assert_eq!(day.midnight_after(at(15, half_past_ten), -5), at(16, 0));
    assert_eq!(day.midnight_after(Timestamp::MAX, i32::MAX).as_millis(), u64::MAX, "no overflow");
    let second = Day::of(Duration::from_secs(1));
    assert_eq!(second.midnight_after(at(15, 400), 2), at(15, 3000));
    assert_eq!(Day::of(Duration::ZERO).length(), Duration::from_millis(1));
}

#[test]
fn http_dates() {
    let date = |secs| HttpDate(Timestamp::from_secs(secs)).to_string();
    assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(date(1_356_048_000), "Fri, 21 Dec 2012 00:00:00 GMT");
    assert_eq!(date(951_868_799), "Tue, 29 Feb 2000 23:59:59 GMT");
    assert!(HttpDate(Timestamp::MAX).to_string().ends_with(" GMT"));
}

#[test]
fn filters_are_conjunctions() {
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let tags = [tag("a", "1"), tag("b", "2")];
    let applies = |filter: LifecycleFilter, key: &str, size, tags: &[(String, String)]| {
        let rules = LifecycleConfiguration::new([rule(|rule| {
            rule.filter = Some(filter);
            rule.expiration.days = Some(1);
        })]);
        assert_eq!(rules.validate(), Ok(()));
        let what = What::Current(Object { size, tags, class: None }, NEW_YEAR);
        rules.removal(&Subject { key, what }, Day::default()).is_some()
    };
    let none = LifecycleFilter::default;
    assert!(applies(none(), "any", 0, &[]));
    assert!(applies(LifecycleFilter::prefix("lo"), "logs", 0, &[]));
    assert!(!applies(LifecycleFilter::prefix("logs/"), "logs", 0, &[]));
    let tagged = LifecycleFilter { tag: Some(LifecycleTag::new("a", "1")), ..none() };
    assert!(applies(tagged.clone(), "k", 0, &tags));
    assert!(!applies(tagged.clone(), "k", 0, &tags[1..]));
    assert!(!applies(tagged, "k", 0, &[tag("a", "2")]));
    let larger = LifecycleFilter { larger_than: Some(10), ..none() };
    assert!(applies(larger.clone(), "k", 11, &[]) && !applies(larger, "k", 10, &[]));
    let smaller = LifecycleFilter { smaller_than: Some(10), ..none() };
    assert!(applies(smaller.clone(), "k", 9, &[]) && !applies(smaller, "k", 10, &[]));
    let and = LifecycleAnd {
        prefix: Some("p".into()),
        tags: vec![LifecycleTag::new("a", "1"), LifecycleTag::new("b", "2")],
        larger_than: Some(10),
        smaller_than: Some(20),
    };
    let and = LifecycleFilter { and: Some(and), ..none() };
    assert!(applies(and.clone(), "pq", 15, &tags));
    assert!(!applies(and.clone(), "q", 15, &tags));
    assert!(!applies(and.clone(), "pq", 15, &tags[..1]));
    assert!(!applies(and, "pq", 20, &tags));
}

#[test]
fn the_earliest_expiration_wins_and_disabled_rules_do_nothing() {
    let mut off = expiring("", 1);
    off.status = LifecycleStatus::Disabled;
    let mut dated = LifecycleRule::for_prefix("logs/old/");
    dated.expiration.date = Some(NEW_YEAR + DAY * 2);
    let rules = LifecycleConfiguration::new([off, expiring("logs/", 10), expiring("logs/a", 5), dated]);
    assert_eq!(rules.validate(), Ok(()));
    let due = |key: &str| removal(&rules, &current(key, object(1, &[]), NEW_YEAR + HOUR));
    assert_eq!(due("other"), None);
    assert_eq!(due("logs/b"), Some((NEW_YEAR + DAY * 11, Action::Expire)));
    assert_eq!(due("logs/a"), Some((NEW_YEAR + DAY * 6, Action::Expire)));
    assert_eq!(due("logs/old/x"), Some((NEW_YEAR + DAY * 2, Action::Expire)));
    let later = current("logs/old/x", object(1, &[]), NEW_YEAR + DAY * 5);
    assert_eq!(removal(&rules, &later).unwrap().0, NEW_YEAR + DAY * 2, "a date stays in force");
    let subject = current("logs/b", object(1, &[]), NEW_YEAR + HOUR);
    let before = NEW_YEAR + DAY * 11 - Duration::from_millis(1);
    assert_eq!(rules.due(&subject, before, Day::default()), None);
    assert!(rules.due(&subject, NEW_YEAR + DAY * 11, Day::default()).is_some());
}

#[test]
fn markers_with_nothing_behind_them() {
    let marker = |alone| Subject { key: "k", what: What::Marker { created: NEW_YEAR + HOUR, alone } };
    let asked = LifecycleConfiguration::new([rule(|rule| {
        rule.expiration.expired_object_delete_marker = Some(true);
    })]);
    let next_midnight = NEW_YEAR + DAY;
    assert_eq!(removal(&asked, &marker(true)), Some((next_midnight, Action::RemoveMarker)));
    assert_eq!(removal(&asked, &marker(false)), None);
    assert_eq!(removal(&asked, &current("k", object(1, &[]), NEW_YEAR)), None);
    let by_age = LifecycleConfiguration::new([expiring("", 3)]);
    assert_eq!(removal(&by_age, &marker(true)), Some((NEW_YEAR + DAY * 4, Action::RemoveMarker)));
    let kept = LifecycleConfiguration::new([rule(|rule| {
        rule.expiration.expired_object_delete_marker = Some(false);
    })]);
    assert_eq!(removal(&kept, &marker(true)), None);
    let sized = LifecycleConfiguration::new([rule(|rule| {
        rule.expiration.days = Some(1);
        rule.filter = Some(LifecycleFilter { smaller_than: Some(9), ..LifecycleFilter::default() });
    })]);
    assert_eq!(removal(&sized, &marker(true)), None, "a marker has no size");
}

#[test]
fn older_versions_go_by_age_and_by_number() {
    let rules = LifecycleConfiguration::new([rule(|rule| {
        rule.noncurrent_expiration = NoncurrentExpiration { days: Some(2), newer_versions: Some(3) };
    })]);
    assert_eq!(rules.validate(), Ok(()));
    let version = |newer, object| {
        let what = What::Noncurrent { object, since: NEW_YEAR + HOUR, newer };
        removal(&rules, &Subject { key: "k", what })
    };
    let due = Some((NEW_YEAR + DAY * 3, Action::Delete));
    for newer in 0..6 {
        let expected = if newer >= 3 { due } else { None };
        assert_eq!(version(newer, Some(object(1, &[]))), expected, "{newer} newer ones");
        assert_eq!(version(newer, None), expected, "a delete marker is a version");
    }
}

#[test]
fn uploads_are_aborted() {
    let mut abort = LifecycleRule::for_prefix("in/");
    abort.abort_incomplete_upload_days = Some(7);
    abort.id = Some("tidy up/1".into());
    let rules = LifecycleConfiguration::new([abort]);
    let removal = rules.abortion_of("in/x", NEW_YEAR + HOUR, Day::default()).unwrap();
    assert_eq!((removal.at, removal.rule_id.as_str()), (NEW_YEAR + DAY * 8, "tidy up/1"));
    assert_eq!(rules.abortion_of("out/x", NEW_YEAR, Day::default()), None);
    assert_eq!(rules.expiration_of("in/x", object(1, &[]), NEW_YEAR, Day::default()), None);
}

#[test]
fn answers_name_the_date_and_the_rule() {
    let mut rules = LifecycleConfiguration::new([expiring("", 3)]);
    rules.name_rules(|| "a rule/1".into());
    let header = |rules: &LifecycleConfiguration| {
        rules
            .expiration_of("k", object(1, &[]), NEW_YEAR + HOUR, Day::default())
            .map(|removal| removal.header())
    };
    assert_eq!(
        header(&rules).unwrap(),
        "expiry-date=\"Sun, 05 Jan 2025 00:00:00 GMT\", rule-id=\"a%20rule%2F1\""
    );
    rules.name_rules(|| unreachable!("they have names"));
    rules.rules[0].status = LifecycleStatus::Disabled;
    assert_eq!(header(&rules), None);
}

#[test]
fn classes_only_get_colder() {
    let to = |days, class| Transition { days: Some(days), date: None, class };
    let rules = LifecycleConfiguration::new([rule(|rule| {
        rule.transitions = vec![to(30, TransitionClass::StandardIa), to(60, TransitionClass::Glacier)];
        rule.expiration.days = Some(90);
        rule.noncurrent_transitions = vec![NoncurrentTransition {
            days: Some(0),
            newer_versions: Some(1),
            class: TransitionClass::DeepArchive,
        }];
    })]);
    assert_eq!(rules.validate(), Ok(()));
    let big = |class| Object { size: 1 << 20, tags: &[], class };
    let on_day = |day: u32, class| {
        let subject = current("k", big(class), NEW_YEAR + HOUR);
        rules.due(&subject, NEW_YEAR + DAY * day, Day::default()).map(|due| due.action)
    };
    assert_eq!(on_day(30, None), None);
    assert_eq!(on_day(31, None), Some(Action::Transition(TransitionClass::StandardIa)));
    assert_eq!(on_day(31, Some(TransitionClass::StandardIa)), None, "it is done once");
    assert_eq!(
        on_day(61, None),
        Some(Action::Transition(TransitionClass::Glacier)),
        "the coldest that is due"
    );
    assert_eq!(on_day(61, Some(TransitionClass::DeepArchive)), None);
    assert_eq!(on_day(91, None), Some(Action::Expire), "what removes goes first");
    let older = |newer| {
        let what = What::Noncurrent { object: Some(big(None)), since: NEW_YEAR + HOUR, newer };
        rules.due(&Subject { key: "k", what }, NEW_YEAR + DAY, Day::default()).map(|due| due.action)
    };
    assert_eq!((older(0), older(1)), (None, Some(Action::Transition(TransitionClass::DeepArchive))));
}

#[test]
fn small_objects_keep_their_class() {
    let mut rules = LifecycleConfiguration::new([rule(|rule| {
        rule.transitions = vec![Transition { days: Some(0), date: None, class: TransitionClass::Glacier }];
    })]);
    let moves = |rules: &LifecycleConfiguration, size| {
        let subject = current("k", object(size, &[]), NEW_YEAR);
        rules.due(&subject, NEW_YEAR + DAY, Day::default()).is_some()
    };
    assert!(!moves(&rules, (128 << 10) - 1) && moves(&rules, 128 << 10));
    rules.transition_minimum = TransitionMinimum::VariesByStorageClass;
    assert!(moves(&rules, 1));
    rules.rules[0].transitions[0].class = TransitionClass::GlacierIr;
    assert!(!moves(&rules, 1));
    rules.rules[0].filter = Some(LifecycleFilter { larger_than: Some(0), ..LifecycleFilter::default() });
    assert!(moves(&rules, 1), "a rule that names sizes means them");
}

mod refusals {
    use super::*;

    fn refused(rules: impl IntoIterator<Item = LifecycleRule>) -> String {
        let error = LifecycleConfiguration::new(rules).validate().unwrap_err();
        format!("{}: {error}", error.code())
    }

    const MALFORMED: &str = "MalformedXML: The XML you provided was not well-formed or did not validate against our published schema";

    #[test]
    fn of_documents() {
        assert_eq!(refused([]), MALFORMED);
        let named = |id: &str| {
            rule(|rule| {
                rule.id = Some(id.into());
                rule.expiration.days = Some(1);
            })
        };
        let many = |count: u32| (0..count).map(move |id| named(&id.to_string()));
        assert_eq!(LifecycleConfiguration::new(many(1000)).validate(), Ok(()));
        assert_eq!(refused(many(1001)), MALFORMED);
        assert_eq!(
            refused([named("x"), named("x")]),
            "InvalidArgument: Rule ID must be unique. Found same ID for more than one rule"
        );
        assert_eq!(LifecycleConfiguration::new([named(&"x".repeat(255))]).validate(), Ok(()));
        assert_eq!(
            refused([named(&"x".repeat(256))]),
            "InvalidArgument: ID length should not exceed allowed limit of 255"
        );
        assert_eq!(
            refused([LifecycleRule::default()]),
            "InvalidRequest: At least one action needs to be specified in a rule"
        );
    }

    #[test]
    fn of_filters() {
        let filtered = |prefix: Option<&str>, filter| {
            rule(|rule| {
                rule.expiration.days = Some(1);
                rule.prefix = prefix.map(str::to_owned);
                rule.filter = filter;
            })
        };
        let none = LifecycleFilter::default;
        assert_eq!(refused([filtered(None, None)]), MALFORMED);
        assert_eq!(
            refused([filtered(Some(""), Some(none()))]),
            "InvalidRequest: Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the \
             Filter."
        );
        assert_eq!(
            refused([filtered(Some("a"), None), filtered(None, Some(none()))]),
            "InvalidRequest: Filter element can only be used in Lifecycle V2."
        );
        let two = LifecycleFilter { smaller_than: Some(1), ..LifecycleFilter::prefix("a") };
        assert_eq!(refused([filtered(None, Some(two))]), MALFORMED);
        let and = |and| filtered(None, Some(LifecycleFilter { and: Some(and), ..none() }));
        let one = LifecycleAnd { prefix: Some("a".into()), ..LifecycleAnd::default() };
        assert_eq!(refused([and(one.clone())]), MALFORMED);
        let tags = vec![LifecycleTag::new("a", "1"), LifecycleTag::new("a", "2")];
        assert_eq!(
            refused([and(LifecycleAnd { tags, ..one.clone() })]),
            "InvalidRequest: Duplicate Tag Keys are not allowed."
        );
        let between = LifecycleAnd { larger_than: Some(5), smaller_than: Some(5), ..LifecycleAnd::default() };
        assert_eq!(
            refused([and(between)]),
            "InvalidRequest: 'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."
        );
        let tagged = |key: &str, value: &str| {
            filtered(None, Some(LifecycleFilter { tag: Some(LifecycleTag::new(key, value)), ..none() }))
        };
        let ok = tagged(&"k".repeat(128), &"v".repeat(256));
        assert_eq!(LifecycleConfiguration::new([ok]).validate(), Ok(()));
        for bad in [tagged("", ""), tagged(&"k".repeat(129), ""), tagged("k", &"v".repeat(257))] {
            assert_eq!(refused([bad]), "InvalidTag: The TagKey you have provided is invalid");
        }
    }

    #[test]
    fn of_expirations() {
        let with = |change: fn(&mut Expiration)| rule(|rule| change(&mut rule.expiration));
        let days = "InvalidArgument: 'Days' for Expiration action must be a positive integer";
        assert_eq!(refused([with(|expiration| expiration.days = Some(0))]), days);
        assert_eq!(refused([with(|expiration| expiration.days = Some(-1))]), days);
        let both = with(|expiration| (expiration.days, expiration.date) = (Some(1), Some(NEW_YEAR)));
        assert_eq!(refused([both]), MALFORMED);
        let noon = with(|expiration| expiration.date = Some(NEW_YEAR + HOUR * 12));
        assert_eq!(refused([noon]), "InvalidArgument: 'Date' must be at midnight GMT");
        let mut marker = with(|expiration| expiration.expired_object_delete_marker = Some(true));
        marker.filter = Some(LifecycleFilter { larger_than: Some(1), ..LifecycleFilter::default() });
        assert_eq!(
            refused([marker.clone()]),
            "InvalidRequest: ExpiredObjectDeleteMarker cannot be specified with Object Size."
        );
        marker.filter =
            Some(LifecycleFilter { tag: Some(LifecycleTag::new("a", "")), ..LifecycleFilter::default() });
        assert_eq!(
            refused([marker.clone()]),
            "InvalidRequest: ExpiredObjectDeleteMarker cannot be specified with Tags."
        );
        marker.expiration = Expiration::default();
        marker.abort_incomplete_upload_days = Some(1);
        assert_eq!(
            refused([marker]),
            "InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Tags."
        );
        assert_eq!(
            refused([rule(|rule| rule.abort_incomplete_upload_days = Some(0))]),
            "InvalidArgument: 'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive \
             integer"
        );
    }

    #[test]
    fn of_older_versions() {
        let keep = |days, newer_versions| {
            rule(|rule| {
                rule.noncurrent_expiration = NoncurrentExpiration { days, newer_versions };
            })
        };
        assert_eq!(refused([keep(None, Some(1))]), MALFORMED);
        assert_eq!(
            refused([keep(Some(0), None)]),
            "InvalidArgument: 'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer"
        );
        assert_eq!(LifecycleConfiguration::new([keep(Some(1), Some(100))]).validate(), Ok(()));
        for versions in [0, 101] {
            assert!(
                refused([keep(Some(1), Some(versions))])
                    .starts_with("InvalidArgument: 'NewerNoncurrentVersions'")
            );
        }
        let mut first_form = keep(Some(1), Some(1));
        (first_form.prefix, first_form.filter) = (Some(String::new()), None);
        assert_eq!(refused([first_form]), MALFORMED);
    }

    #[test]
    fn of_transitions() {
        let to = |days, class| Transition { days: Some(days), date: None, class };
        let moving = |transitions: Vec<Transition>, expires| {
            rule(|rule| {
                rule.transitions = transitions;
                rule.expiration.days = expires;
            })
        };
        let (ia, glacier) = (TransitionClass::StandardIa, TransitionClass::Glacier);
        assert_eq!(
            refused([moving(vec![to(29, ia)], None)]),
            "InvalidArgument: 'Days' in Transition action must be greater than or equal to 30 for storageClass \
             'STANDARD_IA'"
        );
        assert_eq!(
            refused([moving(vec![to(-1, glacier)], None)]),
            "InvalidArgument: 'Days' in Transition action must be nonnegative"
        );
        assert_eq!(LifecycleConfiguration::new([moving(vec![to(0, glacier)], Some(1))]).validate(), Ok(()));
        assert_eq!(
            refused([moving(vec![to(5, glacier)], Some(5))]),
            "InvalidArgument: 'Days' in the Expiration action for filter '(prefix=)' must be greater than 'Days' in \
             the Transition action"
        );
        assert_eq!(
            refused([moving(vec![to(30, ia), to(59, glacier)], None)]),
            "InvalidArgument: 'Days' in the 'Transition' action for StorageClass 'GLACIER' for filter '(prefix=)' \
             must be 30 days more than 'filter '(prefix=)'' in the 'Transition' action for StorageClass \
             'STANDARD_IA'"
        );
        assert_eq!(
            refused([moving(vec![to(1, glacier), to(2, glacier)], None)]),
            "InvalidRequest: 'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter \
             '(prefix=)'"
        );
        let dated = Transition { days: None, date: Some(NEW_YEAR), class: glacier };
        assert_eq!(
            refused([moving(vec![dated.clone()], Some(1))]),
            "InvalidRequest: Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle \
             rule for filter '(prefix=)'"
        );
        assert_eq!(refused([moving(vec![Transition { days: Some(1), ..dated.clone() }], None)]), MALFORMED);
        assert_eq!(refused([moving(vec![Transition { date: None, ..dated }], None)]), MALFORMED);
    }

    /// Only the first form of the API minds.
    #[test]
    fn of_overlaps() {
        let first_form =
            |prefix: &str| LifecycleRule { prefix: Some(prefix.into()), filter: None, ..expiring("", 1) };
        assert_eq!(
            refused([first_form("logs/a"), first_form("logs/")]),
            "InvalidRequest: Found overlapping prefixes 'logs/' and 'logs/a' for same action type 'Expiration'"
        );
        let ok = LifecycleConfiguration::new([first_form("a"), first_form("b")]);
        assert_eq!(ok.validate(), Ok(()));
        assert_eq!(LifecycleConfiguration::new([expiring("a", 1), expiring("a", 2)]).validate(), Ok(()));
    }
}

fn any_configuration() -> impl Strategy<Value = LifecycleConfiguration> {
    let text = || proptest::option::of("[a-c]{0,3}");
    let days = || proptest::option::of(-1..4_i32);
    let date =
        || proptest::option::of((0..6_u64).prop_map(|day| NEW_YEAR + DAY * u32::try_from(day).unwrap()));
    let size = || proptest::option::of(0..300_000_u64);
    let tag = || ("[ab]", "[ab]{0,1}").prop_map(|(key, value)| LifecycleTag::new(key, value));
    let and = (text(), proptest::collection::vec(tag(), 0..3), size(), size()).prop_map(
        |(prefix, tags, larger_than, smaller_than)| LifecycleAnd { prefix, tags, larger_than, smaller_than },
    );
    let filter = (text(), proptest::option::of(tag()), size(), size(), proptest::option::of(and)).prop_map(
        |(prefix, tag, larger_than, smaller_than, and)| LifecycleFilter {
            prefix,
            tag,
            larger_than,
            smaller_than,
            and,
        },
    );
    let class = || proptest::sample::select(TransitionClass::ALL.to_vec());
    let transition =
        (days(), date(), class()).prop_map(|(days, date, class)| Transition { days, date, class });
    let noncurrent = (days(), days(), class())
        .prop_map(|(days, newer_versions, class)| NoncurrentTransition { days, newer_versions, class });
    let expiration = (days(), date(), proptest::option::of(any::<bool>())).prop_map(
        |(days, date, expired_object_delete_marker)| Expiration { days, date, expired_object_delete_marker },
    );
    let rule = (
        (text(), any::<bool>(), text(), proptest::option::of(filter)),
        (expiration, days(), days(), days()),
        proptest::collection::vec(transition, 0..3),
        proptest::collection::vec(noncurrent, 0..2),
    )
        .prop_map(
            |((id, enabled, prefix, filter), (expiration, age, newer_versions, abort), moves, older)| {
                LifecycleRule {
                    id,
                    status: if enabled { LifecycleStatus::Enabled } else { LifecycleStatus::Disabled },
                    prefix,
                    filter,
                    expiration,
                    noncurrent_expiration: NoncurrentExpiration { days: age, newer_versions },
                    abort_incomplete_upload_days: abort,
                    transitions: moves,
                    noncurrent_transitions: older,
                }
            },
        );
    (proptest::collection::vec(rule, 0..4), any::<bool>()).prop_map(|(rules, varies)| {
        LifecycleConfiguration {
            rules,
            transition_minimum: if varies {
                TransitionMinimum::VariesByStorageClass
            } else {
                TransitionMinimum::AllStorageClasses128K
            },
        }
    })
}

proptest! {
    #[test]
    fn what_is_stored_comes_back(configuration in any_configuration()) {
        let stored = configuration.encode();
        prop_assert_eq!(LifecycleConfiguration::decode(&stored), Ok(configuration.clone()));
        for len in 0..stored.len() {
            prop_assert!(LifecycleConfiguration::decode(&stored[..len]).is_err());
        }
        let _ = configuration.validate();
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), configuration in any_configuration()) {
        let _ = LifecycleConfiguration::decode(&bytes);
        let mut damaged = configuration.encode();
        let at = at.index(damaged.len());
        damaged[at] ^= bytes.first().copied().unwrap_or(1);
        if let Ok(found) = LifecycleConfiguration::decode(&damaged) {
            prop_assert_eq!(found.encode(), damaged, "what is accepted is what was written");
        }
    }

    /// The same question, asked hour by hour: an object is removed in the first hour at whose beginning a rule says so.
    #[test]
    fn removal_is_the_first_moment_that_a_rule_is_due(
        configuration in any_configuration(),
        key in "[a-c]{1,3}",
        size in 0..300_000_u64,
        tags in proptest::collection::vec(("[ab]", "[ab]{0,1}"), 0..3),
        hour in 0..48_u32,
    ) {
        let created = NEW_YEAR + HOUR * hour;
        let what = What::Current(object(size, &tags), created);
        let subject = Subject { key: &key, what };
        let removes = |now| configuration.due(&subject, now, Day::default()).is_some_and(|due| due.action == Action::Expire);
        let first = (0..24 * 12).map(|hour| NEW_YEAR + HOUR * hour).find(|now| removes(*now));
        let said = configuration.removal(&subject, Day::default()).map(|due| due.at);
        prop_assert_eq!(first, said);
        // And by the words of the service, for each rule alone.
        let by_words = configuration.rules.iter().filter(|rule| rule.status == LifecycleStatus::Enabled).filter_map(|rule| {
            let filter = rule.filter.clone().unwrap_or_default();
            let and = filter.and.clone().unwrap_or_default();
            let prefix = rule.prefix.clone().or(filter.prefix).or(and.prefix).unwrap_or_default();
            let wanted: Vec<_> = if filter.and.is_some() { and.tags } else { filter.tag.into_iter().collect() };
            let (min, max) = (filter.larger_than.or(and.larger_than), filter.smaller_than.or(and.smaller_than));
            let holds = key.starts_with(&prefix) && wanted.iter().all(|tag| tags.contains(&(tag.key.clone(), tag.value.clone())))
                && min.is_none_or(|min| size > min) && max.is_none_or(|max| size < max);
            let days = rule.expiration.days.map(|days| {
                let whole = (hour / 24) + u32::try_from(days.max(0)).unwrap() + 1;
                NEW_YEAR + DAY * whole
            });
            holds.then_some(days.or(rule.expiration.date)?)
        });
        prop_assert_eq!(by_words.min(), said);
    }
}
