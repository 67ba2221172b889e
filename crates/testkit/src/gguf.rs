//! GGUF files of a golden checkpoint's language model, as llama.cpp's converter writes them: in f32, with configuration and
//! tokenizer in the metadata.

use safetensors::SafeTensors;
use serde_json::Value as Json;
use std::path::Path;

/// A value of the metadata.
#[derive(Clone, Debug)]
pub enum Value {
    /// u32.
    Count(u32),
    /// f64.
    Number(f64),
    /// A flag.
    Flag(bool),
    /// Text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of i32.
    Kinds(Vec<i32>),
}

/// A tensor of the file.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// As llama.cpp names it.
    pub name: String,
    /// Outermost first.
    pub shape: Vec<usize>,
    /// ggml's number of its type.
    pub kind: u32,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A file before it is written.
#[derive(Clone, Debug)]
pub struct Gguf {
    /// Keys and values.
    pub metadata: Vec<(String, Value)>,
    /// Tensors in the file's order.
    pub tensors: Vec<Tensor>,
}

impl Gguf {
    /// The language model of the checkpoint in `folder`: one file of f32 weights with a `text_config`.
    pub fn of(folder: &Path) -> Self {
        let read = |name: &str| -> Json {
            serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
        };
        let (config, tokenizer) = (read("config.json"), read("tokenizer.json"));
        let config = &config["text_config"];
        let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
        let mut file = Self { metadata: Vec::new(), tensors: tensors(&weights, config) };
        file.set_config(config);
        file.set_tokenizer(&tokenizer);
        file
    }

    fn set_config(&mut self, config: &Json) {
        let architecture = config["model_type"].as_str().unwrap();
        let theta = config["rope_theta"].as_f64().or(config["rope_parameters"]["rope_theta"].as_f64());
        let eps = config["rms_norm_eps"].as_f64().unwrap_or(1e-6);
        self.set("general.architecture", Value::Text(architecture.into()));
        self.set("general.name", Value::Text("Seeded".into()));
        for (key, name) in [
            ("block_count", "num_hidden_layers"),
            ("context_length", "max_position_embeddings"),
            ("embedding_length", "hidden_size"),
            ("feed_forward_length", "intermediate_size"),
            ("attention.head_count", "num_attention_heads"),
            ("attention.head_count_kv", "num_key_value_heads"),
        ] {
            let count = config[name].as_u64().unwrap() as u32;
            self.set(&format!("{architecture}.{key}"), Value::Count(count));
        }
        self.set(&format!("{architecture}.attention.key_length"), Value::Count(head_dim(config) as u32));
        self.set(&format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::Number(eps));
        self.set(&format!("{architecture}.rope.freq_base"), Value::Number(theta.unwrap()));
    }

    /// Takes the tokens and merges of a `tokenizer.json` of byte-level BPE.
    pub fn set_tokenizer(&mut self, tokenizer: &Json) {
        let learnt = tokenizer["model"]["vocab"].as_object().unwrap();
        let added = tokenizer["added_tokens"].as_array().unwrap();
        let added: Vec<(usize, &str)> = added
            .iter()
            .map(|t| (t["id"].as_u64().unwrap() as usize, t["content"].as_str().unwrap()))
            .collect();
        let largest = learnt.values().map(|id| id.as_u64().unwrap() as usize);
        let size = 1 + largest.chain(added.iter().map(|(id, _)| *id)).max().unwrap();
        // What llama.cpp's converter writes for rows without a token.
        let mut tokens: Vec<String> = (0..size).map(|id| format!("[PAD{id}]")).collect();
        let mut kinds = vec![5; size];
        for (token, id) in learnt {
            let id = id.as_u64().unwrap() as usize;
            (tokens[id], kinds[id]) = (token.clone(), 1);
        }
        for (id, token) in &added {
            (tokens[*id], kinds[*id]) = ((*token).to_owned(), 3);
        }
        let merge = |merge: &Json| match merge.as_array() {
            Some(pair) => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
            None => merge.as_str().unwrap().to_owned(),
        };
        let merges = tokenizer["model"]["merges"].as_array().unwrap().iter().map(merge).collect();
        let digits = tokenizer["pre_tokenizer"]["pretokenizers"][0]["type"] == "Digits";
        let pre = if digits { "smollm" } else { "qwen2" };
        self.set("tokenizer.ggml.model", Value::Text("gpt2".into()));
        self.set("tokenizer.ggml.pre", Value::Text(pre.into()));
        self.set("tokenizer.ggml.tokens", Value::Texts(tokens));
        self.set("tokenizer.ggml.token_type", Value::Kinds(kinds));
        self.set("tokenizer.ggml.merges", Value::Texts(merges));
        for (key, token) in [("bos", "<|im_start|>"), ("eos", "<|im_end|>")] {
            let id = added.iter().find(|(_, t)| *t == token).map(|(id, _)| *id as u32);
            id.into_iter()
                .for_each(|id| self.set(&format!("tokenizer.ggml.{key}_token_id"), Value::Count(id)));
        }
    }

    /// Sets a key, new or not.
    pub fn set(&mut self, key: &str, value: Value) {
        self.remove(key);
        self.metadata.push((key.to_owned(), value));
    }

    /// Drops a key.
    pub fn remove(&mut self, key: &str) {
        self.metadata.retain(|(other, _)| other != key);
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        [self.tensors.len(), self.metadata.len()].iter().for_each(|n| out.extend((*n as u64).to_le_bytes()));
        for (key, value) in &self.metadata {
            write_text(&mut out, key);
            value.write(&mut out);
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            write_text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().rev().for_each(|n| out.extend((*n as u64).to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend((offset as u64).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(ALIGNMENT);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
            out.extend(&tensor.data);
        }
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        out
    }
}

const ALIGNMENT: usize = 32;

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        let kind: u32 = match self {
            Self::Count(_) => 4,
            Self::Number(_) => 12,
            Self::Flag(_) => 7,
            Self::Text(_) => 8,
            Self::Texts(_) | Self::Kinds(_) => 9,
        };
        out.extend(kind.to_le_bytes());
        match self {
            Self::Count(count) => out.extend(count.to_le_bytes()),
            Self::Number(number) => out.extend(number.to_le_bytes()),
            Self::Flag(flag) => out.push(u8::from(*flag)),
            Self::Text(text) => write_text(out, text),
            Self::Texts(texts) => {
                out.extend(8u32.to_le_bytes());
                out.extend((texts.len() as u64).to_le_bytes());
                texts.iter().for_each(|text| write_text(out, text));
            }
            Self::Kinds(kinds) => {
                out.extend(5u32.to_le_bytes());
                out.extend((kinds.len() as u64).to_le_bytes());
                kinds.iter().for_each(|kind| out.extend(kind.to_le_bytes()));
            }
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn head_dim(config: &Json) -> usize {
    let size = |name: &str| config[name].as_u64().map(|n| n as usize);
    size("head_dim").unwrap_or_else(|| size("hidden_size").unwrap() / size("num_attention_heads").unwrap())
}

/// The tensors of the decoder, renamed; rows reordered as the converter reorders Llama's.
fn tensors(file: &[u8], config: &Json) -> Vec<Tensor> {
    let (head_dim, llama) = (head_dim(config), config["model_type"] == "llama");
    let file = SafeTensors::deserialize(file).unwrap();
    let mut all: Vec<_> = file.iter().filter_map(|(name, view)| Some((gguf_name(name)?, view))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        assert_eq!(view.dtype(), safetensors::Dtype::F32, "{name}");
        let (shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
        if llama && (name.ends_with("attn_q.weight") || name.ends_with("attn_k.weight")) {
            data = pairs_together(&data, shape[0], head_dim);
        }
        Tensor { name, shape, kind: 0, data }
    };
    all.into_iter().map(tensor).collect()
}

/// Rows of each head: the first member of each rotary pair, then the second, pair after pair.
fn pairs_together(data: &[u8], rows: usize, head_dim: usize) -> Vec<u8> {
    let row_bytes = data.len() / rows;
    let mut out = Vec::new();
    for head in data.chunks(row_bytes * head_dim) {
        for pair in 0..head_dim / 2 {
            for member in [pair, pair + head_dim / 2] {
                out.extend(&head[member * row_bytes..(member + 1) * row_bytes]);
            }
        }
    }
    out
}

/// The name that llama.cpp's converter gives a tensor of the decoder; None for what is not the decoder's.
pub fn gguf_name(name: &str) -> Option<String> {
    if ["vision", "projector", "connector", "newline"].iter().any(|part| name.contains(part)) {
        return None;
    }
    let prefixes = ["language_model.", "model.language_model.", "model.text_model."];
    let name = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let name = name.strip_prefix("model.").unwrap_or(name);
    Some(match name {
        "embed_tokens.weight" => "token_embd.weight".into(),
        "norm.weight" => "output_norm.weight".into(),
        "lm_head.weight" => "output.weight".into(),
        _ => {
            let rest = name.strip_prefix("layers.")?.replace("input_layernorm", "attn_norm");
            let mut rest = rest.replace("post_attention_layernorm", "ffn_norm");
            for (from, to) in [("q", "attn_q"), ("k", "attn_k"), ("v", "attn_v"), ("o", "attn_output")] {
                rest = rest.replace(&format!("self_attn.{from}_proj"), to);
            }
            for part in ["gate", "up", "down"] {
                rest = rest.replace(&format!("mlp.{part}_proj"), &format!("ffn_{part}"));
            }
            format!("blk.{rest}")
        }
    })
}
