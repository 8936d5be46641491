//! A notification configuration as it is stored with its bucket.

use crate::codec::{Reader, Writer};
use crate::objects::fields::{Result, list, one_of, option, text, write_option, write_text};
use crate::objects::notify::{EventType, KeyFilter, NotificationConfiguration, NotificationRule};

const VERSION: u8 = 1;

impl NotificationConfiguration {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(VERSION);
        to.count(self.rules.len());
        for rule in &self.rules {
            write_option(&mut to, rule.id.as_ref(), write_text);
            write_text(&mut to, &rule.arn);
            to.count(rule.events.len());
            for event in &rule.events {
                let number = EventType::ALL.iter().position(|known| known == event);
                to.u8(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
            }
            write_option(&mut to, rule.filter.prefix.as_ref(), write_text);
            write_option(&mut to, rule.filter.suffix.as_ref(), write_text);
        }
        to.into_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        one_of(&mut from, "notification version", &[VERSION])?;
        let rules = list(&mut from, "notification rules", read_rule)?;
        from.finish("notification configuration")?;
        Ok(Self { rules, event_bridge: false })
    }
}

fn read_rule(from: &mut Reader<'_>) -> Result<NotificationRule> {
    Ok(NotificationRule {
        id: option(from, text)?,
        arn: text(from)?,
        events: list(from, "events", event)?,
        filter: KeyFilter { prefix: option(from, text)?, suffix: option(from, text)? },
    })
}

fn event(from: &mut Reader<'_>) -> Result<EventType> {
    let before = from.clone();
    let number = from.u8("event")?;
    let found = EventType::ALL.get(usize::from(number)).copied();
    let highest = EventType::ALL.len() - 1;
    found.ok_or_else(|| before.malformed("event", format_args!("at most {highest}"), number))
}
