"""Pure matching and reward: values in, values out; the trainer's side and the service both stand on it."""
