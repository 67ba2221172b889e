use std::str::FromStr;

use longsight_text::shown;

use crate::probe::SubtitleStream;

/// Which of a video's subtitle streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SubtitleTrack {
    /// What players show: a whole track before a forced one, the default before others.
    #[default]
    Usual,
    /// The stream of this index among all streams of the file, as ffprobe counts them.
    Index(u32),
    /// The first of this language (`eng`, `en`, `pt-BR`), whole tracks before forced ones.
    Language(String),
}

impl FromStr for SubtitleTrack {
    type Err = String;

    /// A number or a language; nothing is the usual one.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_tag = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match text.parse() {
            Ok(index) => Ok(Self::Index(index)),
            Err(_) if text.is_empty() => Ok(Self::Usual),
            Err(_) if is_tag && text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                Ok(Self::Language(text.to_owned()))
            }
            Err(_) => Err("write a language (eng) or the number of a stream".to_owned()),
        }
    }
}

impl std::fmt::Display for SubtitleTrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usual => f.write_str("embedded"),
            Self::Index(index) => write!(f, "embedded:{index}"),
            Self::Language(language) => write!(f, "embedded:{language}"),
        }
    }
}

impl SubtitleTrack {
    /// The stream to read, and what to say where there was a choice that nobody made.
    ///
    /// Forced tracks hold only what is foreign in the film, commentaries something else: whole tracks come first. Of them
    /// the default one, else the first in the language of the default one (often a forced track is marked so), else the first.
    ///
    /// # Errors
    /// Nothing that can be read as text, or nothing of that number or language: with the list of what there is.
    pub(crate) fn choose<'a>(
        &self,
        streams: &'a [SubtitleStream],
    ) -> Result<(&'a SubtitleStream, Option<String>), String> {
        let texts: Vec<&SubtitleStream> = streams.iter().filter(|stream| stream.is_text).collect();
        if texts.is_empty() {
            return Err(nothing(streams));
        }
        let listed = || list(streams);
        match self {
            Self::Usual => {
                let stream = usual(&texts).ok_or_else(listed)?;
                let said = (texts.len() > 1 || stream.is_partial).then(|| {
                    format!("subtitle stream {} is used; there are: {}", stream.stream_index, listed())
                });
                Ok((stream, said))
            }
            Self::Index(index) => match streams.iter().find(|stream| stream.stream_index == *index) {
                Some(stream) if stream.is_text => Ok((stream, None)),
                Some(stream) => Err(nothing(std::slice::from_ref(stream))),
                None => Err(format!("no subtitle stream has the number {index}; there are: {}", listed())),
            },
            Self::Language(language) => {
                let of_language: Vec<_> =
                    texts.into_iter().filter(|stream| is_of(stream.language.as_deref(), language)).collect();
                let stream = usual(&of_language).ok_or_else(|| {
                    format!("no subtitle stream is marked {language}; there are: {}", listed())
                })?;
                Ok((stream, None))
            }
        }
    }
}

fn usual<'a>(texts: &[&'a SubtitleStream]) -> Option<&'a SubtitleStream> {
    let whole = || texts.iter().filter(|stream| !stream.is_partial);
    let marked = texts.iter().find(|stream| stream.is_default).and_then(|stream| stream.language.as_deref());
    let in_its_language =
        || whole().find(|stream| marked.is_some_and(|marked| is_of(stream.language.as_deref(), marked)));
    let chosen = whole().find(|stream| stream.is_default).or_else(in_its_language).or_else(|| whole().next());
    chosen.or_else(|| texts.iter().find(|stream| stream.is_default)).or_else(|| texts.first()).copied()
}

/// `en` is `eng` and `en-US` too.
fn is_of(tag: Option<&str>, language: &str) -> bool {
    let primary = |text: &str| text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let Some(tag) = tag else { return false };
    let (tag_language, wanted) = (primary(tag), primary(language));
    if language.contains('-') {
        return tag.eq_ignore_ascii_case(language);
    }
    tag_language == wanted || (wanted.len() == 2 && tag_language.starts_with(&wanted))
}

fn nothing(streams: &[SubtitleStream]) -> String {
    match streams.first() {
        Some(bitmap) => format!(
            "its subtitles are pictures ({}), which cannot be read as text; pass a subtitle file instead",
            bitmap.codec
        ),
        None => "it has no subtitle stream; pass a subtitle file instead".to_owned(),
    }
}

fn list(streams: &[SubtitleStream]) -> String {
    let line = |stream: &SubtitleStream| {
        let language = stream.language.as_deref().map(|tag| format!(" {tag}")).unwrap_or_default();
        let marks =
            [(stream.is_default, " default"), (stream.is_partial, " forced"), (!stream.is_text, " pictures")];
        let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
        format!("{} ({}{language}{marks})", stream.stream_index, stream.codec)
    };
    shown(&streams.iter().map(line).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(index: u32, language: &str, marks: &str) -> SubtitleStream {
        SubtitleStream {
            stream_index: index,
            codec: "subrip".to_owned(),
            language: (!language.is_empty()).then(|| language.to_owned()),
            is_text: !marks.contains('p'),
            is_default: marks.contains('d'),
            is_partial: marks.contains('f'),
        }
    }

    fn chosen(streams: &[SubtitleStream], track: &str) -> Result<u32, String> {
        let track: SubtitleTrack = track.parse()?;
        track.choose(streams).map(|(stream, _)| stream.stream_index)
    }

    #[test]
    fn whole_tracks_come_before_forced_ones() {
        let forced_default = [stream(2, "eng", "fd"), stream(3, "fre", ""), stream(4, "eng", "")];
        assert_eq!(chosen(&forced_default, ""), Ok(4));
        assert_eq!(chosen(&[stream(2, "eng", "f"), stream(3, "ger", ""), stream(4, "fre", "d")], ""), Ok(4));
        assert_eq!(chosen(&[stream(2, "eng", "p"), stream(3, "", "f")], ""), Ok(3));
        assert_eq!(chosen(&[stream(2, "", ""), stream(3, "", "")], ""), Ok(2));
        assert_eq!(chosen(&forced_default, "en"), Ok(4));
    }

    #[test]
    fn a_language_or_a_number_chooses_and_a_wrong_one_lists_what_there_is() {
        let streams = [stream(2, "eng", "d"), stream(5, "pt-BR", ""), stream(7, "jpn", "p")];
        assert_eq!(chosen(&streams, "5"), Ok(5));
        assert_eq!(chosen(&streams, "PT"), Ok(5));
        assert_eq!(chosen(&streams, "pt-br"), Ok(5));
        assert_eq!(chosen(&streams, "en"), Ok(2));
        let listed = "there are: 2 (subrip eng default), 5 (subrip pt-BR), 7 (subrip jpn pictures)";
        for wrong in ["3", "de", "jpn"] {
            assert!(chosen(&streams, wrong).unwrap_err().contains(listed), "{wrong}");
        }
        assert!(chosen(&streams, "7").unwrap_err().contains("pictures (subrip)"));
        assert!(chosen(&[], "").unwrap_err().contains("no subtitle stream"));
        for wrong in ["-1", "a b", "../x", "é"] {
            assert!(wrong.parse::<SubtitleTrack>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_choice_that_nobody_made_is_told() {
        let said = |streams: &[SubtitleStream]| SubtitleTrack::Usual.choose(streams).unwrap().1;
        assert_eq!(said(&[stream(2, "eng", "")]), None);
        assert!(
            said(&[stream(2, "eng", ""), stream(3, "fre", "")])
                .unwrap()
                .starts_with("subtitle stream 2 is used")
        );
        assert!(said(&[stream(2, "eng", "f")]).unwrap().contains("2 (subrip eng forced)"));
    }
}
