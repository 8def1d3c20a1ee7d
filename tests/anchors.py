"""A fixed input, and what published losses make of it."""

from __future__ import annotations

import torch

LABELS, IMAGES, HEIGHT, WIDTH = 4, 2, 48, 64
WEIGHTS = [1.0, 2.0, 0.5, 1.5]
EQUAL = [1.0] * LABELS

_index = torch.arange(LABELS * IMAGES * HEIGHT * WIDTH, dtype=torch.float64)
X = (2 * torch.sin(0.37 * _index + 0.01 * (_index % 101))).reshape(IMAGES, LABELS, HEIGHT, WIDTH).float()
Y = torch.stack(
    [(torch.arange(HEIGHT)[:, None] // 12 + torch.arange(WIDTH) // 16 + image) % LABELS for image in range(IMAGES)]
)
IGNORED_ROWS = Y.clone()
IGNORED_ROWS[:, :6] = 255
EDGE_LOGITS = torch.sin(0.11 * torch.arange(IMAGES * HEIGHT * WIDTH, dtype=torch.float64)).float()
EDGE_LOGITS = EDGE_LOGITS.reshape(IMAGES, 1, HEIGHT, WIDTH)
