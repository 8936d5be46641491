//! Whole transfers over system calls that may do less than they were asked.
//!
//! T1. A call that moved some bytes is continued behind them, an interrupted one repeated; any other failure ends the
//!     transfer and is returned as it is.
//! T2. A write that moves nothing is an error, not a loop; a read that moves nothing is the end of the file.

use std::io;

/// Writes all of `bytes` at `offset` by calls of `write`.
pub(super) fn write_all(
    mut bytes: &[u8],
    mut offset: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(moved) => {
                bytes = &bytes[moved..];
                offset += moved as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset` by calls of `read`; returns how much of it the file could fill.
pub(super) fn read_full(
    buffer: &mut [u8],
    offset: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(moved) => filled += moved,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that answers from a script: `Ok(n)` moves at most `n` bytes.
    struct Scripted {
        script: Vec<Result<usize, io::ErrorKind>>,
        bytes: Vec<u8>,
        offsets: Vec<u64>,
    }

    impl Scripted {
        fn new(script: &[Result<usize, io::ErrorKind>]) -> Self {
            Self { script: script.iter().rev().copied().collect(), bytes: Vec::new(), offsets: Vec::new() }
        }

        fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            self.offsets.push(offset);
            let moved = self.script.pop().unwrap()?.min(bytes.len());
            self.bytes.extend_from_slice(&bytes[..moved]);
            Ok(moved)
        }

        fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.offsets.push(offset);
            let moved = self.script.pop().unwrap()?.min(buffer.len());
            buffer[..moved].fill(b'x');
            Ok(moved)
        }
    }

    #[test]
    fn a_short_write_is_continued_and_an_interrupted_one_repeated() {
        let mut device = Scripted::new(&[
            Ok(2),
            Err(io::ErrorKind::Interrupted),
            Err(io::ErrorKind::Interrupted),
            Ok(1),
            Ok(99),
        ]);
        write_all(b"abcdef", 10, |bytes, offset| device.write(bytes, offset)).unwrap();
        assert_eq!(device.bytes, b"abcdef");
        assert_eq!(device.offsets, [10, 12, 12, 12, 13]);
    }

    #[test]
    fn a_failed_write_is_not_repeated() {
        for (answer, kind) in [
            (Err(io::ErrorKind::StorageFull), io::ErrorKind::StorageFull),
            (Err(io::ErrorKind::WouldBlock), io::ErrorKind::WouldBlock),
            (Ok(0), io::ErrorKind::WriteZero),
        ] {
            let mut device = Scripted::new(&[Ok(3), answer]);
            let error = write_all(b"abcdef", 0, |bytes, offset| device.write(bytes, offset)).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(device.offsets, [0, 3]);
        }
    }

    #[test]
    fn nothing_to_write_calls_nothing() {
        let mut device = Scripted::new(&[]);
        write_all(b"", 7, |bytes, offset| device.write(bytes, offset)).unwrap();
        assert!(device.offsets.is_empty());
    }

    #[test]
    fn a_short_read_is_continued_up_to_the_end_of_the_file() {
        let mut device = Scripted::new(&[Ok(2), Err(io::ErrorKind::Interrupted), Ok(1), Ok(0)]);
        let mut buffer = [0; 6];
        assert_eq!(read_full(&mut buffer, 5, |buffer, offset| device.read(buffer, offset)).unwrap(), 3);
        assert_eq!(&buffer, b"xxx\0\0\0");
        assert_eq!(device.offsets, [5, 7, 7, 8]);
    }

    #[test]
    fn a_failed_read_is_not_repeated() {
        let mut device = Scripted::new(&[Ok(2), Err(io::ErrorKind::Other)]);
        let error = read_full(&mut [0; 6], 0, |buffer, offset| device.read(buffer, offset)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert_eq!(device.offsets, [0, 2]);
    }
}
