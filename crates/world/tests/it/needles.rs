//! Haystacks without cards, and needles in V-NIAH's form.

use crate::{run, tiny};
use longsight_world::{NeedleRow, NeedleSettings, Range, Tools, Truth, WorldSettings, make_needles, needles};

fn settings() -> NeedleSettings {
    let haystack = WorldSettings { videos: 1, duration_secs: Range::new(3.0, 3.0), ..tiny() };
    NeedleSettings { haystack, ..NeedleSettings::default() }
}

#[test]
fn five_needles_three_with_candidates_and_two_with_short_answers() {
    let all = needles(&settings()).unwrap();
    assert_eq!(all.len(), 5);
    for (index, needle) in all.iter().enumerate() {
        let NeedleRow { question, answer, candidates, card, .. } = &needle.row;
        let card = card.card;
        let right = [
            card.shape.to_string(),
            card.plate.to_string(),
            card.number.to_string(),
            card.shape_colour.to_string(),
        ][index % 4]
            .clone();
        if index < 3 {
            let (opening, rest) = question[1..].split_once('\n').unwrap();
            assert!(question.starts_with('\n') && opening.ends_with('?'), "{question:?}");
            let options: String =
                candidates.iter().zip('A'..).map(|(text, letter)| format!("{letter}. {text}\n")).collect();
            assert_eq!(rest, options + "Answer with the option's letter from the given choices directly.");
            let gold = candidates.iter().zip('A'..).find(|(text, _)| **text == right).unwrap().1;
            assert_eq!((candidates.len(), answer.as_str()), (4, gold.to_string().as_str()));
        } else {
            assert!(question.starts_with('\n'), "{question:?}");
            assert!(
                question.ends_with("?\nAnswer the question using a single word or phrase."),
                "{question:?}"
            );
            assert_eq!((candidates.len(), answer), (0, &right));
        }
    }
    let again = needles(&settings()).unwrap();
    assert!(all.iter().zip(&again).all(|(a, b)| a.picture == b.picture && a.row == b.row));
}

#[test]
fn the_folder_holds_a_haystack_without_cards_and_the_needles_as_png() {
    let folder = tempfile::tempdir().unwrap();
    let summary = make_needles(&settings(), &Tools::default(), folder.path(), &mut |_| ()).unwrap();
    assert_eq!((summary.videos_made, summary.questions, summary.frames), (1, 5, 30));
    let truth = std::fs::read_to_string(folder.path().join("truth/00000.json")).unwrap();
    let truth: Truth = serde_json::from_str(&truth).unwrap();
    assert!(truth.script.cards.is_empty());
    assert!(folder.path().join(&truth.video).is_file());
    let rows = std::fs::read_to_string(folder.path().join("needles.json")).unwrap();
    let rows: Vec<NeedleRow> = serde_json::from_str(&rows).unwrap();
    for (row, needle) in rows.iter().zip(needles(&settings()).unwrap()) {
        assert_eq!(*row, needle.row);
        let png = folder.path().join(&row.image);
        let pixels =
            run("ffmpeg", &["-i", png.to_str().unwrap(), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        assert!(pixels == needle.picture.rgb(), "{}", row.image);
    }
    // Once more: nothing is made anew; with another seed: refused.
    let again = make_needles(&settings(), &Tools::default(), folder.path(), &mut |_| ()).unwrap();
    assert_eq!((again.videos_made, again.videos_kept), (0, 1));
    let mut other = settings();
    other.haystack.seed += 1;
    let message =
        make_needles(&other, &Tools::default(), folder.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(message.contains("other settings"), "{message}");
}
