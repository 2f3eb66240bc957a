"""A tiny BERT with random weights in the sentence-transformers layout, and a forward pass in torch.

The pass is written from the paper with torch's own functions, sharing nothing with the graph.
"""

import json

import numpy as np

from esgml.nn.weights import pack, unpack

WORDS = [
    "the",
    "act",
    "law",
    "shall",
    "wind",
    "power",
    "plant",
    "truck",
    "forest",
    "water",
    "report",
    "year",
    "energy",
    "tax",
    ".",
    ",",
]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 160,
    "layer_norm_eps": 1e-12,
}


def write(folder, seed=0):
    """Write the encoder into a folder and return it."""
    random = np.random.default_rng(seed)
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    h, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (len(vocabulary), h),
        "embeddings.position_embeddings.weight": (CONFIG["max_position_embeddings"], h),
        "embeddings.token_type_embeddings.weight": (2, h),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        for part, (outputs, inputs) in {
            "attention.self.query": (h, h),
            "attention.self.key": (h, h),
            "attention.self.value": (h, h),
            "attention.output.dense": (h, h),
            "intermediate.dense": (inner, h),
            "output.dense": (h, inner),
        }.items():
            shapes[f"{name}.{part}.weight"] = (outputs, inputs)
            shapes[f"{name}.{part}.bias"] = (outputs,)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    weights = {k: random.normal(0, 0.3, s).astype(np.float32) for k, s in shapes.items()}
    for norm in norms:
        weights[f"{norm}.weight"] = random.uniform(0.5, 1.5, h).astype(np.float32)
        weights[f"{norm}.bias"] = random.normal(0, 0.2, h).astype(np.float32)
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "model.safetensors").write_bytes(pack(weights))
    return folder


def torch_embedding(folder, tokens):
    """Return the embedding of one window of tokens, computed by torch."""
    import torch
    from torch.nn import functional

    config = json.loads((folder / "config.json").read_text())
    weights = unpack((folder / "model.safetensors").read_bytes())
    w = {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}
    heads, h = config["num_attention_heads"], config["hidden_size"]

    def linear(x, name):
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x, name):
        return functional.layer_norm(
            x, (h,), w[f"{name}.weight"], w[f"{name}.bias"], config["layer_norm_eps"]
        )

    ids = torch.as_tensor(np.asarray(tokens))[None]
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{name}.attention.self.{part}").unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = norm(
            x + linear(seen, f"{name}.attention.output.dense"),
            f"{name}.attention.output.LayerNorm",
        )
        inner = functional.gelu(linear(x, f"{name}.intermediate.dense"))
        x = norm(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    return functional.normalize(x.mean(1), dim=-1)[0].numpy()
