//! Renders the chat templates of checkpoint folders, one object a line: `scripts/compare-templates.sh` compares them with
//! Jinja2's.

#![allow(clippy::print_stdout)]

use longsight_models::families::llava::Llava;
use longsight_models::processor::{ChatTemplate, Conversation, Turn};
use serde_json::json;
use std::path::Path;

/// Arguments: a JSON file with the turns, then folders.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let turns = std::fs::read(arguments.next().ok_or("name a file with turns, then folders")?)?;
    let turns: Vec<Turn> = serde_json::from_slice(&turns)?;
    for folder in arguments {
        for system in [None, Some("Be <brief> & \"kind\".")] {
            let said = Conversation { system, ..Conversation::from(&turns[..]) };
            let text = ChatTemplate::read(Path::new(&folder))?.render_text(&Llava::OneVision, &said);
            let (text, error) = match text {
                Ok(text) => (Some(text), None),
                Err(error) => (None, Some(error.to_string())),
            };
            println!("{}", json!({"folder": folder, "system": system, "text": text, "error": error}));
        }
    }
    Ok(())
}
