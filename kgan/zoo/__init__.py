"""One runnable module for each published GAN: `python -m kgan.zoo` lists them."""
