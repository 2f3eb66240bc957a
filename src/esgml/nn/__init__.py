"""Neural networks: one training loop, windows over panels, building blocks.

Training uses torch (`blocks`, `loop`); everything else needs only NumPy: windows and features
(`windows`), the forward passes that predictions are made with (`inference`), and weights as
safetensors bytes (`weights`). A network therefore predicts with the same code, and the same
numbers, in the process that trained it and in a service without torch. `onnx_export` writes
the same networks as ONNX.
"""
