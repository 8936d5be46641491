//! Checks what is on disk.

use super::{
    format::{self, Flaw, HEADER_LEN},
    segment::Segment,
};
use crate::{
    error::{Corruption, Error, Result},
    storage::File,
};

/// Reads the frames of a segment from its file, up to `upto`, and adds what is wrong with it to `problems`. Only what
/// the device refuses to give is an error.
pub(super) fn segment<T, F: File>(
    segment: &Segment<T>,
    file: &F,
    upto: u32,
    problems: &mut Vec<Corruption>,
) -> Result<()> {
    let mut bytes = vec![0; upto as usize];
    match file.read_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(Error::Corrupt(corruption)) => {
            problems.push(*corruption);
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let size = segment.words_size();
    let mut offset = HEADER_LEN;
    while offset < upto && size - offset >= format::FRAME_HEADER_LEN {
        match format::check(&bytes, offset, size, segment.binding()) {
            Ok(frame) => offset = frame.end,
            Err(flaw) => {
                let (what, expected, found) = Flaw::explain(flaw);
                problems.push(Corruption::new(file.path(), offset.into(), what, expected, found));
                // The memory still knows how far to go.
                let word = super::arena::Words::load_len(segment.words(), offset);
                if word == 0 {
                    return Ok(());
                }
                offset += format::step(word).1;
            }
        }
    }
    Ok(())
}
