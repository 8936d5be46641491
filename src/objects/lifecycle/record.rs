//! A lifecycle configuration as it is stored with its bucket.

use crate::clock::Timestamp;
use crate::codec::{Reader, Writer};
use crate::objects::fields::{Result, list, one_of, option, text, write_option, write_text};
use crate::objects::lifecycle::{
    Expiration, LifecycleAnd, LifecycleConfiguration, LifecycleFilter, LifecycleRule, LifecycleStatus,
    LifecycleTag, NoncurrentExpiration, NoncurrentTransition, Transition, TransitionClass, TransitionMinimum,
};

const VERSION: u8 = 1;

impl LifecycleConfiguration {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        to.u8(u8::from(self.transition_minimum == TransitionMinimum::VariesByStorageClass));
        to.count(self.rules.len());
        for rule in &self.rules {
            write_rule(&mut to, rule);
        }
        to.into_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        one_of(&mut from, "lifecycle version", &[VERSION])?;
        let transition_minimum = match one_of(&mut from, "transition minimum", &[0, 1])? {
            1 => TransitionMinimum::VariesByStorageClass,
            _ => TransitionMinimum::AllStorageClasses128K,
        };
        let rules = list(&mut from, "lifecycle rules", read_rule)?;
        from.finish("lifecycle configuration")?;
        Ok(Self { rules, transition_minimum })
    }
}

fn write_rule(to: &mut Writer, rule: &LifecycleRule) {
    write_option(to, rule.id.as_ref(), write_text);
    to.u8(u8::from(rule.status == LifecycleStatus::Enabled));
    write_option(to, rule.prefix.as_ref(), write_text);
    write_option(to, rule.filter.as_ref(), write_filter);
    write_option(to, rule.expiration.days, write_number);
    write_option(to, rule.expiration.date, write_date);
    write_option(to, rule.expiration.expired_object_delete_marker, |to, given| to.u8(given.into()));
    write_option(to, rule.noncurrent_expiration.days, write_number);
    write_option(to, rule.noncurrent_expiration.newer_versions, write_number);
    write_option(to, rule.abort_incomplete_upload_days, write_number);
    to.count(rule.transitions.len());
    for transition in &rule.transitions {
        write_class(to, transition.class);
        write_option(to, transition.days, write_number);
        write_option(to, transition.date, write_date);
    }
    to.count(rule.noncurrent_transitions.len());
    for transition in &rule.noncurrent_transitions {
        write_class(to, transition.class);
        write_option(to, transition.days, write_number);
        write_option(to, transition.newer_versions, write_number);
    }
}

fn read_rule(from: &mut Reader<'_>) -> Result<LifecycleRule> {
    Ok(LifecycleRule {
        id: option(from, text)?,
        status: match one_of(from, "lifecycle status", &[0, 1])? {
            1 => LifecycleStatus::Enabled,
            _ => LifecycleStatus::Disabled,
        },
        prefix: option(from, text)?,
        filter: option(from, read_filter)?,
        expiration: Expiration {
            days: option(from, number)?,
            date: option(from, date)?,
            expired_object_delete_marker: option(from, |from| Ok(one_of(from, "a flag", &[0, 1])? == 1))?,
        },
        noncurrent_expiration: NoncurrentExpiration {
            days: option(from, number)?,
            newer_versions: option(from, number)?,
        },
        abort_incomplete_upload_days: option(from, number)?,
        transitions: list(from, "transitions", |from| {
            let class = class(from)?;
            Ok(Transition { class, days: option(from, number)?, date: option(from, date)? })
        })?,
        noncurrent_transitions: list(from, "noncurrent transitions", |from| {
            let class = class(from)?;
            Ok(NoncurrentTransition {
                class,
                days: option(from, number)?,
                newer_versions: option(from, number)?,
            })
        })?,
    })
}

fn write_filter(to: &mut Writer, filter: &LifecycleFilter) {
    write_option(to, filter.prefix.as_ref(), write_text);
    write_option(to, filter.tag.as_ref(), write_tag);
    write_option(to, filter.larger_than, Writer::u64);
    write_option(to, filter.smaller_than, Writer::u64);
    write_option(to, filter.and.as_ref(), |to, and| {
        write_option(to, and.prefix.as_ref(), write_text);
        to.count(and.tags.len());
        and.tags.iter().for_each(|tag| write_tag(to, tag));
        write_option(to, and.larger_than, Writer::u64);
        write_option(to, and.smaller_than, Writer::u64);
    });
}

fn read_filter(from: &mut Reader<'_>) -> Result<LifecycleFilter> {
    Ok(LifecycleFilter {
        prefix: option(from, text)?,
        tag: option(from, tag)?,
        larger_than: option(from, size)?,
        smaller_than: option(from, size)?,
        and: option(from, |from| {
            Ok(LifecycleAnd {
                prefix: option(from, text)?,
                tags: list(from, "tags", tag)?,
                larger_than: option(from, size)?,
                smaller_than: option(from, size)?,
            })
        })?,
    })
}

fn write_tag(to: &mut Writer, tag: &LifecycleTag) {
    write_text(to, &tag.key);
    write_text(to, &tag.value);
}

fn tag(from: &mut Reader<'_>) -> Result<LifecycleTag> {
    Ok(LifecycleTag { key: text(from)?, value: text(from)? })
}

fn write_number(to: &mut Writer, number: i32) {
    to.raw(&number.to_le_bytes());
}

fn number(from: &mut Reader<'_>) -> Result<i32> {
    from.u32("a number").map(u32::cast_signed)
}

fn write_date(to: &mut Writer, date: Timestamp) {
    to.u64(date.as_millis());
}

fn date(from: &mut Reader<'_>) -> Result<Timestamp> {
    from.u64("a date").map(Timestamp::from_millis)
}

fn size(from: &mut Reader<'_>) -> Result<u64> {
    from.u64("a size")
}

fn write_class(to: &mut Writer, class: TransitionClass) {
    to.u8(match class {
        TransitionClass::StandardIa => 0,
        TransitionClass::IntelligentTiering => 1,
        TransitionClass::OnezoneIa => 2,
        TransitionClass::GlacierIr => 3,
        TransitionClass::Glacier => 4,
        TransitionClass::DeepArchive => 5,
    });
}

fn class(from: &mut Reader<'_>) -> Result<TransitionClass> {
    let number = one_of(from, "storage class", &[0, 1, 2, 3, 4, 5])?;
    Ok(TransitionClass::ALL.get(usize::from(number)).copied().unwrap_or(TransitionClass::DeepArchive))
}
