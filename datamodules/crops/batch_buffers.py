import math
import mmap
import weakref
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

# A worker fills one buffer while two batches wait and one is trained on.
_PER_WORKER = 4
_numbers = count()
_all_buffers: "weakref.WeakValueDictionary[int, BatchBuffers]" = weakref.WeakValueDictionary()


class BatchBuffers:
    """Memory of image batches, which loader workers write and the training process reads in place.

    A tensor that leaves a worker is copied to new shared memory and needs a connection. For a batch
    of 32 crops of 256 px this takes as long as reading and augmenting them: the memory is 1,536 new
    pages in each process. Here each worker reuses buffers of its own. A buffer is free again once
    no tensor in the training process refers to it.

    Args:
        workers: Number of loader workers, which must be forked to inherit the memory.
        images: Images per batch.
        size: Side S of the images.
    """

    def __init__(self, workers: int, images: int, size: int) -> None:
        shape = (_PER_WORKER * workers, images, size, size, 3)
        # Unlike /dev/shm, which is small in many containers, anonymous memory has no limit.
        memory = mmap.mmap(-1, shape[0] + math.prod(shape))
        self._in_use = np.frombuffer(memory, np.bool_, shape[0])
        self._images = np.frombuffer(memory, np.uint8, offset=shape[0]).reshape(shape)
        self._number = next(_numbers)
        _all_buffers[self._number] = self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as None: a process that is not forked does not inherit the memory."""
        return type(None), ()

    def allocate(self, images: int) -> "SharedBatch | None":
        """Return a free buffer of this loader worker, or None if all are in use."""
        worker = get_worker_info()
        if worker is None:
            return None
        own = range(worker.id * _PER_WORKER, (worker.id + 1) * _PER_WORKER)
        free = next((index for index in own if not self._in_use[index]), None)
        if free is None:
            return None
        self._in_use[free] = True
        return SharedBatch(self._images[free, :images], (self._number, free, images))

    @staticmethod
    def receive(number: int, index: int, images: int) -> Tensor:
        """Return the batch of a buffer, `[B, 3, S, S]`; the buffer is in use as long as it is."""
        buffers = _all_buffers[number]
        array = buffers._images[index, :images]
        weakref.finalize(array, buffers._in_use.__setitem__, index, False).atexit = False
        return as_images(array)


class SharedBatch:
    """The images `[B, S, S, 3]` of a buffer, which another process unpickles as a tensor."""

    def __init__(self, array: NDArray[np.uint8], index: tuple[int, int, int]) -> None:
        self.array = array
        self._index = index

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchBuffers.receive, self._index


def as_images(array: NDArray[np.uint8]) -> Tensor:
    """View images `[B, S, S, 3]` as `[B, 3, S, S]`, channels_last in memory."""
    return torch.from_numpy(array).permute(0, 3, 1, 2)
