//! The spellings of one model's tensor names, and a checkpoint rewritten from one into another.

use std::io;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::config::{merge, write_json};
use crate::safetensors_writer::{TensorSpec, write_file};

/// Who wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// llava-hf repositories: `language_model.model.*`, `vision_tower.vision_model.*`.
    LlavaHf,
    /// As saved by transformers 5: the same without `vision_model.`.
    LlavaHf5,
    /// The original repositories: `model.*`, `model.mm_projector.{0,2}`, flat config.
    LmmsLab,
    /// transformers >= 4.52 in memory: `model.language_model.*`, `model.vision_tower.vision_model.*`.
    HfInMemory,
    /// transformers 5 in memory: the same without `vision_model.`.
    Hf5InMemory,
    /// As [`Layout::HfInMemory`] with `model.language_model.model.*`, which some tools write.
    HfNested,
}

/// Prefixes in llava-hf's spelling, in the order of [`Layout::prefixes`].
const LLAVA_HF: [&str; 6] = [
    "language_model.model.",
    "language_model.lm_head.",
    "vision_tower.vision_model.",
    "multi_modal_projector.linear_1.",
    "multi_modal_projector.linear_2.",
    "image_newline",
];

impl Layout {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::LlavaHf, Self::LlavaHf5, Self::LmmsLab, Self::HfInMemory, Self::Hf5InMemory, Self::HfNested];

    /// Language model, head, tower, projector 1 and 2, newline.
    fn prefixes(self) -> [&'static str; 6] {
        let [text, head, _, first, second, newline] = LLAVA_HF;
        let in_memory = |text, tower| {
            let projector =
                ["model.multi_modal_projector.linear_1.", "model.multi_modal_projector.linear_2."];
            [text, "lm_head.", tower, projector[0], projector[1], "model.image_newline"]
        };
        match self {
            Self::LlavaHf => LLAVA_HF,
            Self::LlavaHf5 => [text, head, "vision_tower.", first, second, newline],
            Self::LmmsLab => [
                "model.",
                "lm_head.",
                "model.vision_tower.vision_tower.vision_model.",
                "model.mm_projector.0.",
                "model.mm_projector.2.",
                "model.image_newline",
            ],
            Self::HfInMemory => in_memory("model.language_model.", "model.vision_tower.vision_model."),
            Self::Hf5InMemory => in_memory("model.language_model.", "model.vision_tower."),
            Self::HfNested => in_memory("model.language_model.model.", "model.vision_tower.vision_model."),
        }
    }

    /// A name in llava-hf's on-disk spelling, in this layout's.
    pub fn rename(self, llava_hf: &str) -> String {
        swap_prefix(llava_hf, LLAVA_HF, self.prefixes())
            .unwrap_or_else(|| panic!("unknown tensor {llava_hf}"))
    }

    /// The inverse of [`Layout::rename`]; `None` where the name is not of this layout.
    pub fn to_llava_hf(self, name: &str) -> Option<String> {
        swap_prefix(name, self.prefixes(), LLAVA_HF)
    }
}

/// The longest matching prefix wins: `model.` also begins every other name of the original layout.
fn swap_prefix(name: &str, from: [&str; 6], to: [&str; 6]) -> Option<String> {
    let matching = from.iter().zip(to).filter(|(prefix, _)| name.starts_with(**prefix));
    let (prefix, new) = matching.max_by_key(|(prefix, _)| prefix.len())?;
    Some(format!("{new}{}", &name[prefix.len()..]))
}

/// Copies a small HF checkpoint (`from`: llava-hf's or transformers 5's spelling) into folder `to`, its tensors
/// renamed and in one file; for the original layout the config is flattened too, and the embedding rows kept.
pub fn convert_checkpoint(from: &Path, to: &Path, layout: Layout) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    let mut shards = Vec::new();
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => shards.push(path),
            _ if path.ends_with("model.safetensors.index.json") => {}
            _ => drop(std::fs::copy(&path, to.join(path.file_name().expect("a listed file")))?),
        }
    }
    shards.sort();
    let bytes: Vec<Vec<u8>> = shards.iter().map(std::fs::read).collect::<io::Result<_>>()?;
    write_renamed(&bytes, &to.join("model.safetensors"), layout)?;
    if layout == Layout::LmmsLab {
        let config: Value = serde_json::from_slice(&std::fs::read(from.join("config.json"))?)?;
        write_json(&to.join("config.json"), &flat_config(&config))?;
    }
    Ok(())
}

fn write_renamed(shards: &[Vec<u8>], path: &Path, layout: Layout) -> io::Result<()> {
    let files: Vec<SafeTensors> = shards.iter().map(|b| SafeTensors::deserialize(b).unwrap()).collect();
    let mut tensors: Vec<(TensorSpec, &[u8])> = Vec::new();
    for (name, view) in files.iter().flat_map(SafeTensors::iter) {
        let source = [Layout::LlavaHf, Layout::LlavaHf5].iter().find_map(|l| l.to_llava_hf(name));
        let name = layout.rename(&source.unwrap_or_else(|| panic!("{name} is not in an HF layout")));
        let (shape, dtype) = (view.shape().to_vec(), view.dtype().to_string());
        tensors.push((TensorSpec { name, shape, dtype, size_bytes: view.data().len() }, view.data()));
    }
    tensors.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let specs: Vec<TensorSpec> = tensors.iter().map(|(spec, _)| spec.clone()).collect();
    let mut data = tensors.iter().map(|(_, data)| *data);
    write_file(path, &specs, |_, out| out.write_all(data.next().expect("one a tensor")))
}

/// The original layout's flat config for an HF config of either spelling.
fn flat_config(hf: &Value) -> Value {
    let (mut flat, vision) = (hf["text_config"].clone(), &hf["vision_config"]);
    let rope = flat["rope_parameters"].take();
    let theta = if rope.is_null() { flat["rope_theta"].clone() } else { rope["rope_theta"].clone() };
    let dtype = if hf["dtype"].is_null() { &hf["torch_dtype"] } else { &hf["dtype"] };
    let extra = json!({
        "architectures": ["LlavaQwenForCausalLM"], "model_type": "llava", "torch_dtype": dtype,
        "rope_theta": theta, "tie_word_embeddings": hf["tie_word_embeddings"],
        "mm_hidden_size": vision["hidden_size"], "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad", "mm_spatial_pool_mode": "bilinear",
        "mm_vision_tower": "google/siglip-so400m-patch14-384", "image_aspect_ratio": "anyres_max_9",
        "vision_config": vision,
    });
    merge(&mut flat, extra);
    if let Some(object) = flat.as_object_mut() {
        object.retain(|key, _| !matches!(key.as_str(), "rope_parameters" | "layer_types" | "dtype"));
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_names() {
        let name = "language_model.model.layers.3.mlp.up_proj.weight";
        assert_eq!(Layout::LmmsLab.rename(name), "model.layers.3.mlp.up_proj.weight");
        assert_eq!(Layout::HfNested.rename(name), "model.language_model.model.layers.3.mlp.up_proj.weight");
        let tower = "vision_tower.vision_model.post_layernorm.bias";
        assert_eq!(
            Layout::LmmsLab.rename(tower),
            "model.vision_tower.vision_tower.vision_model.post_layernorm.bias"
        );
        assert_eq!(Layout::Hf5InMemory.rename(tower), "model.vision_tower.post_layernorm.bias");
        assert_eq!(
            Layout::LmmsLab.rename("multi_modal_projector.linear_2.bias"),
            "model.mm_projector.2.bias"
        );
        assert_eq!(Layout::HfInMemory.rename("language_model.lm_head.weight"), "lm_head.weight");
    }

    #[test]
    fn every_layout_can_be_undone() {
        let shape = crate::Shape::Ov7b.model();
        for tensor in shape.tensors(Layout::LlavaHf, crate::Dtype::Bf16) {
            for layout in Layout::ALL {
                let renamed = layout.rename(&tensor.name);
                assert_eq!(layout.to_llava_hf(&renamed).as_deref(), Some(tensor.name.as_str()), "{layout:?}");
            }
        }
    }

    #[test]
    fn a_sharded_checkpoint_becomes_one_file_of_other_names() {
        let to = tempfile::tempdir().unwrap();
        let from = crate::golden::checkpoint_dir("d64-mha-sharded");
        convert_checkpoint(&from, to.path(), Layout::LmmsLab).unwrap();
        let bytes = std::fs::read(to.path().join("model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("model.layers.0.self_attn.q_proj.weight").unwrap().shape(), [128, 128]);
        assert!(file.names().iter().all(|name| name.starts_with("model.") || name.starts_with("lm_head.")));
        let config: Value =
            serde_json::from_slice(&std::fs::read(to.path().join("config.json")).unwrap()).unwrap();
        assert_eq!((&config["model_type"], &config["rope_theta"]), (&json!("llava"), &json!(1e6)));
    }
}
