//! Objects of a JSON file one at a time, so that memory is bounded by the longest of them: a list, or objects one after
//! another (JSON lines).

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Longest object that is taken for one: a file that is something else must not fill the memory.
const OBJECT_LIMIT_BYTES: usize = 64 << 20;

/// Why the next object cannot be had.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file cannot be read.
    Io(io::Error),
    /// It ends inside an object or a list.
    Truncated,
    /// An object longer than the limit.
    TooLong,
    /// Something else than an object.
    Unexpected(u8),
}

impl Fault {
    /// What to tell the user.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Io(error) => format!("cannot be read: {error}"),
            Self::Truncated => "the file ends here, in the middle: it is truncated".into(),
            Self::TooLong => format!("longer than {} MiB: is this the right file?", OBJECT_LIMIT_BYTES >> 20),
            Self::Unexpected(byte) => {
                format!("expected a JSON object, found {:?}", char::from(*byte).to_string())
            }
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Before the first object.
    Start,
    /// Between objects that follow one another.
    Sequence,
    /// In a list; whether an object of it was read.
    List { any: bool },
    /// Behind the list.
    Done,
}

/// Reader of objects.
#[derive(Debug)]
pub(crate) struct Items<R> {
    reader: R,
    state: State,
}

impl Items<BufReader<File>> {
    /// Opens a file; a byte order mark is skipped.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("is not a regular file"));
        }
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        Ok(Self { reader, state: State::Start })
    }
}

impl<R: BufRead> Items<R> {
    /// Whether the file, from its start, is one object with a list of this name; then the objects of that list follow.
    /// Otherwise the reader is used up.
    pub(crate) fn enter_list(&mut self, names: &[&str]) -> Result<bool, Fault> {
        if self.peek()? != Some(b'{') {
            return Ok(false);
        }
        self.reader.consume(1);
        let mut key = Vec::new();
        loop {
            match self.peek()? {
                Some(b'"') => {}
                Some(b',') => {
                    self.reader.consume(1);
                    continue;
                }
                _ => return Ok(false),
            }
            key.clear();
            self.value(Some(&mut key))?;
            if self.peek()? != Some(b':') {
                return Ok(false);
            }
            self.reader.consume(1);
            let named = names.iter().any(|name| key == format!("\"{name}\"").as_bytes());
            if named && self.peek()? == Some(b'[') {
                self.reader.consume(1);
                self.state = State::List { any: false };
                return Ok(true);
            }
            self.peek()?;
            self.value(None)?;
        }
    }

    /// Puts the text of the next object into `object`; false at the end.
    pub(crate) fn next_into(&mut self, object: &mut Vec<u8>) -> Result<bool, Fault> {
        object.clear();
        let mut byte = self.peek()?;
        if self.state == State::Start {
            self.state = State::Sequence;
            if byte == Some(b'[') {
                self.reader.consume(1);
                self.state = State::List { any: false };
                byte = self.peek()?;
            }
        }
        match (self.state, byte) {
            (State::Done, _) | (State::Sequence, None) => return Ok(false),
            (State::List { .. }, Some(b']')) => {
                self.state = State::Done;
                return Ok(false);
            }
            (State::List { any: true }, Some(b',')) => {
                self.reader.consume(1);
                byte = self.peek()?;
            }
            (State::List { any: true }, Some(other)) => return Err(Fault::Unexpected(other)),
            _ => {}
        }
        match byte {
            Some(b'{') => self.value(Some(object))?,
            Some(other) => return Err(Fault::Unexpected(other)),
            None => return Err(Fault::Truncated),
        }
        if self.state != State::Sequence {
            self.state = State::List { any: true };
        }
        Ok(true)
    }

    /// The next byte that is no space, not taken.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let spaces = chunk.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let found = chunk.get(spaces).copied();
            self.reader.consume(spaces);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Takes one value, whose first byte comes next. Only brackets and strings are looked at: the parser that gets the
    /// text finds everything else.
    fn value(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<(), Fault> {
        let mut scan = Scan::default();
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Err(Fault::Truncated);
            }
            let used = scan.feed(chunk);
            if let Some(kept) = &mut kept {
                if kept.len() + used > OBJECT_LIMIT_BYTES {
                    return Err(Fault::TooLong);
                }
                kept.extend_from_slice(&chunk[..used]);
            }
            self.reader.consume(used);
            if scan.done {
                return Ok(());
            }
        }
    }
}

/// Finds the end of a value.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    done: bool,
}

impl Scan {
    /// Bytes of the chunk that belong to the value.
    fn feed(&mut self, chunk: &[u8]) -> usize {
        for (at, &byte) in chunk.iter().enumerate() {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if byte == b'\\' {
                    self.escaped = true;
                } else if byte == b'"' {
                    self.in_string = false;
                    self.done = self.depth == 0;
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    // A number or a word ends before what follows it.
                    b',' | b'}' | b']' if self.depth == 0 => {
                        self.done = true;
                        return at;
                    }
                    b'}' | b']' => {
                        self.depth -= 1;
                        self.done = self.depth == 0;
                    }
                    _ => {}
                }
            }
            if self.done {
                return at + 1;
            }
        }
        chunk.len()
    }
}
