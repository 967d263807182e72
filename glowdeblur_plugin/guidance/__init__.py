"""What guides a restoration beside the blurry picture: captions of pictures and their embeddings."""
