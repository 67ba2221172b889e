"""llama.cpp, through its Python package's C interface, on the language model of the seeded checkpoint."""

import ctypes
import time

import llama_cpp as llama
import numpy as np

import inputs
import measure

BATCH_TOKENS = 2048  # llama.cpp's defaults
MICRO_BATCH_TOKENS = 512


@llama.llama_log_callback
def quiet(_level, _text, _data):
    pass


class Text:
    """A context of a model."""

    def __init__(self, path, threads):
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = llama.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"error: llama.cpp cannot load {path}")
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.threads, self.context = threads, None

    def start(self, capacity):
        if self.context:
            llama.llama_free(self.context)
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = capacity, BATCH_TOKENS, MICRO_BATCH_TOKENS
        params.n_threads = params.n_threads_batch = self.threads
        self.context = llama.llama_init_from_model(self.model, params)
        if not self.context:
            raise SystemExit(f"error: llama.cpp has no memory for {capacity} tokens")

    def prefill(self, tokens):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)
        ids = inputs.token_ids(tokens, self.vocabulary)
        for start in range(0, tokens, BATCH_TOKENS):
            self.run(ids[start:start + BATCH_TOKENS])
        return int(self.logits().argmax())

    def decode(self, context, count):
        llama.llama_memory_seq_rm(llama.llama_get_memory(self.context), 0, context, -1)
        token = 0
        for _ in range(count):
            self.run([token])
            token = int(self.logits().argmax())

    def run(self, ids):
        array = (llama.llama_token * len(ids))(*ids)
        status = llama.llama_decode(self.context, llama.llama_batch_get_one(array, len(ids)))
        if status != 0:
            raise SystemExit(f"error: llama_decode of {len(ids)} tokens failed with {status}")

    def logits(self):
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, -1), (self.vocabulary,))


def main():
    args = measure.flags(__doc__)
    llama.llama_log_set(quiet, ctypes.c_void_p(0))
    llama.llama_backend_init()
    own_bytes = measure.resident_bytes()
    started = time.perf_counter()
    text = Text(args.model, args.threads)
    load_secs = time.perf_counter() - started
    results = measure.text_results(args, text)
    measure.report("llama.cpp", f"llama-cpp-python {llama.__version__}", args, own_bytes, load_secs, results)


if __name__ == "__main__":
    main()
