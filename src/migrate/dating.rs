//! What passes on its way from the source to the target: each message gets the date on which it arrived.

use super::sieve::{Lesson, Passed, Wishes};
use crate::error::Result;
use crate::mail::{Beginning, Envelope, Flags, Marks, arrival_date};
use crate::retrieve::{Handle, Intake};
use std::sync::PoisonError;

/// Holds a message back until its header tells when it arrived, where the source did not.
pub(super) struct Dating<'i, I> {
    pub into: &'i mut I,
    pub wishes: &'i Wishes,
    pub now: i64,
    pub held: Option<(Handle, Envelope, Beginning)>,
    pub lesson: &'i Lesson,
    /// What passes, where hashes are wanted.
    pub hashing: Option<&'i mut Passed>,
}

impl<I: Intake> Dating<'_, I> {
    fn leave(&mut self, handle: Handle) {
        if let Some(passed) = &mut self.hashing {
            passed.reading.contents.remove(&handle);
            passed.left.insert(handle);
        }
    }

    async fn release(&mut self) -> Result<()> {
        let Some((handle, mut envelope, start)) = self.held.take() else { return Ok(()) };
        envelope.received_at = arrival_date(start.as_bytes(), self.now);
        self.into.begin(handle, envelope).await?;
        self.into.chunk(start.as_bytes()).await
    }
}

impl<I: Intake> Intake for Dating<'_, I> {
    async fn begin(&mut self, handle: Handle, mut envelope: Envelope) -> Result<()> {
        if self.wishes.no_flags {
            envelope.marks = Marks::default();
        }
        if envelope.marks != Marks::default() {
            self.lesson.lock().unwrap_or_else(PoisonError::into_inner).marked += 1;
        }
        if let Some(passed) = &mut self.hashing {
            passed.reading.begin(handle, Envelope::default()).await?;
        }
        if self.wishes.seen {
            envelope.marks.flags = envelope.marks.flags | Flags::SEEN;
        }
        match envelope.received_at {
            Some(_) => self.into.begin(handle, envelope).await,
            None => {
                self.held = Some((handle, envelope, Beginning::default()));
                Ok(())
            }
        }
    }

    async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(passed) = &mut self.hashing {
            passed.reading.chunk(bytes).await?;
        }
        let Some((_, _, start)) = &mut self.held else { return self.into.chunk(bytes).await };
        if start.take(bytes) { self.release().await } else { Ok(()) }
    }

    async fn end(&mut self) -> Result<()> {
        self.release().await?;
        if let Some(passed) = &mut self.hashing {
            passed.reading.end().await?;
        }
        self.into.end().await
    }

    async fn refused(&mut self, handle: Handle, reason: String) -> Result<()> {
        self.held = None;
        if let Some(passed) = &mut self.hashing {
            passed.reading.refused(handle, reason.clone()).await?;
        }
        self.leave(handle);
        self.into.refused(handle, reason).await
    }

    async fn gone(&mut self, handle: Handle) -> Result<()> {
        self.leave(handle);
        self.into.gone(handle).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a store is told, as text.
    #[derive(Default)]
    struct Told(String);

    impl Intake for Told {
        async fn begin(&mut self, handle: Handle, e: Envelope) -> Result<()> {
            self.0 += &format!("begin {} {:?} {}:", handle.0, e.received_at, e.marks.flags.letters());
            Ok(())
        }
        async fn chunk(&mut self, bytes: &[u8]) -> Result<()> {
            self.0 += &String::from_utf8_lossy(bytes);
            Ok(())
        }
        async fn end(&mut self) -> Result<()> {
            self.0 += ";";
            Ok(())
        }
        async fn refused(&mut self, handle: Handle, _: String) -> Result<()> {
            self.0 += &format!("refused {};", handle.0);
            Ok(())
        }
        async fn gone(&mut self, handle: Handle) -> Result<()> {
            self.0 += &format!("gone {};", handle.0);
            Ok(())
        }
    }

    /// What comes of a message in chunks; one without an end is refused.
    fn passed(chunks: &[&[u8]], received_at: Option<i64>, seen: bool, ends: bool) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut told = Told::default();
            let (lesson, hashing) = (&Lesson::default(), None);
            let wishes = &Wishes { seen, ..Wishes::default() };
            let mut dating = Dating { into: &mut told, wishes, now: 2_000_000_000, held: None, lesson, hashing };
            let envelope = Envelope { received_at, ..Envelope::default() };
            dating.begin(Handle(1), envelope).await.unwrap();
            for chunk in chunks {
                dating.chunk(chunk).await.unwrap();
            }
            match ends {
                true => dating.end().await.unwrap(),
                false => dating.refused(Handle(1), "no".to_owned()).await.unwrap(),
            }
            told.0
        })
    }

    #[test]
    fn a_message_is_dated_by_its_header_where_nobody_else_does() {
        let text = "Date: 1 Mar 2024 09:00:00 +0000\n\nbody";
        let dated = Some(1_709_283_600);
        for (chunks, given, seen, ends, expected) in [
            (&[text.as_bytes()][..], None, false, true, format!("begin 1 {dated:?} :{text};")),
            (&[text.as_bytes()], Some(7), true, true, format!("begin 1 Some(7) S:{text};")),
            (&[b"Subject: x"], None, true, true, "begin 1 None S:Subject: x;".to_owned()),
            (&[], None, false, true, "begin 1 None :;".to_owned()),
            (&[b"Date: 1"], None, false, false, "refused 1;".to_owned()),
            (&[b"Date: 1\n\n", b"x"], None, false, false, "begin 1 None :Date: 1\n\nxrefused 1;".to_owned()),
        ] {
            assert_eq!(passed(chunks, given, seen, ends), expected);
        }
        let endless = "x".repeat(Beginning::LIMIT + 1);
        assert_eq!(passed(&[endless.as_bytes(), b"y"], None, false, true), format!("begin 1 None :{endless}y;"));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cut in 0..60usize, second in 0..60usize) {
            let text = b"Subject: x\r\nDate: 1 Mar 2024 09:00:00 +0000\r\n\r\nDate: no\r\n\r\n";
            let (cut, second) = (cut.min(second).min(text.len()), second.max(cut).min(text.len()));
            let chunks = [&text[..cut], &text[cut..second], &text[second..]];
            prop_assert_eq!(passed(&chunks, None, false, true), passed(&[text], None, false, true));
        }
    }
}
