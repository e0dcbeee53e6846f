# SPDX-License-Identifier: Apache-2.0
"""A tour of griffin.py with the embedded model: run it, or its cells one by one in an editor.

    GRIFFIN_LIBRARY=build/release/src/c/libgriffin_c.so.0 python3 examples/python/tour.py
"""

# %% A model, which is a folder
import math
import os
import sys
import tempfile

import griffin

here = os.path.dirname(os.path.abspath(griffin.__file__))
model = griffin.Model(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../models/griffin"))
print(f"{model.info.parameters:,} parameters, {model.info.depth} layers, {model.info.vocab} pieces")

# %% Text to ids and back
tokenizer = model.tokenizer
ids = tokenizer.encode("In the beginning")
print(ids, "is", [tokenizer.decode([id]) for id in ids])

# %% A text: the most likely tokens, then drawn ones
print(model.generate("In the beginning", max_new_tokens=24).text)
how = dict(max_new_tokens=24, do_sample=True, temperature=0.8, top_k=40)
for text in model.generate("In the beginning", num_return_sequences=3, seed=1, **how):
    print("-", text.text.replace("\n", " / "))

# %% Piece by piece, until there is enough of it
for piece in model.stream("And God said", max_new_tokens=200):
    print(piece, end="", flush=True)
    if piece.endswith(":"):
        break
print()

# %% What the model says of the next token
logits = model.logits(ids)
last = [logits[len(ids) - 1, id] for id in range(model.info.vocab)]
best = sorted(range(model.info.vocab), key=lambda id: -last[id])[:5]
print("after 'In the beginning':", [(tokenizer.decode([id]), f"{last[id]:.2f}") for id in best])

# %% How likely texts are
for text in "The LORD is my shepherd", "The lord is mine sheep dog":
    logprobs = model.logprobs(tokenizer.encode(text))
    print(f"perplexity {math.exp(-sum(logprobs) / len(logprobs)):7.1f}  {text}")

# %% One reading, two ways to go on
sequence = model.sequence()
sequence.feed(tokenizer.encode("And the king said unto"), "none")
for name in " David", " Jerusalem":
    fork = sequence.fork()
    fork.feed(tokenizer.encode(name, bos=False), "none")
    said = model.generate(",", max_new_tokens=16, start=fork.snapshot())
    print(f"...{name},{said.text}".replace("\n", " / "))

# %% A state on disk, and back
with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "king.state")
    sequence.save(file)
    size = os.path.getsize(file)
    restored = model.sequence()
    restored.restore(file)
same = bytes(restored.feed([5])) == bytes(sequence.feed([5]))
assert same
print(f"{restored.position} tokens in a file of {size:,} bytes; goes on to the same bits: {same}")

# %% Many texts at once
prompts = [f"{verse} And the {who} said" for verse in (1, 2, 3) for who in ("king", "woman")]
for prompt, text in zip(prompts, model.generate(prompts, max_new_tokens=10, stop_strings="\n")):
    print(f"{prompt:22} |{text.text}")
