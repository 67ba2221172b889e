/// The text after the visual prefix that the KV cache holds, by its ids.
#[derive(Debug, Default)]
pub(super) struct HeldText {
    ids: Vec<u32>,
    /// Of these, the leading ones that were prefilled in whole chunks: any prompt that begins with them computes the same.
    whole_chunk_ids: usize,
}

impl HeldText {
    /// How many ids.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds ids that were fed one by one.
    pub(super) fn extend(&mut self, ids: &[u32]) {
        self.ids.extend(ids);
    }

    /// Adds `ids[at..end]`, prefilled together, of a prompt whose chunks are `chunk` ids long.
    pub(super) fn extend_by_chunk(&mut self, ids: &[u32], at: usize, chunk: usize) {
        self.ids.extend(ids);
        if at == self.whole_chunk_ids && ids.len() == chunk {
            self.whole_chunk_ids = at + chunk;
        }
    }

    /// Begins a new conversation: only whole chunks may serve it.
    pub(super) fn forget_turns(&mut self) {
        self.ids.truncate(self.whole_chunk_ids);
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Drops what does not begin `ids`, and returns how many of them are still held. At least one id is left to run, since
    /// its hidden state gives the next logits. A new conversation keeps whole chunks only.
    pub(super) fn keep_common(&mut self, ids: &[u32], is_new: bool, chunk: usize) -> usize {
        let common = self.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let mut kept = common.min(ids.len().saturating_sub(1));
        if is_new {
            kept = kept.min(self.whole_chunk_ids);
            kept -= kept % chunk;
        }
        self.whole_chunk_ids = self.whole_chunk_ids.min(kept - kept % chunk);
        self.ids.truncate(kept);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_conversation_keeps_whole_chunks_and_an_old_one_every_common_id() {
        let mut held = HeldText::default();
        held.extend_by_chunk(&[1, 2], 0, 2);
        held.extend_by_chunk(&[3], 2, 2);
        held.extend(&[4, 5]);
        assert_eq!(held.keep_common(&[1, 2, 3, 4, 9, 9], false, 2), 4);
        assert_eq!(held.len(), 4);
        held.forget_turns();
        assert_eq!(held.keep_common(&[1, 2, 3, 4], true, 2), 2);
        assert_eq!(held.keep_common(&[1, 2], true, 2), 0, "one id is left to run");
    }
}
