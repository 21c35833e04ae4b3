package httpkit

type Credentials = credentials

var MachineCredentials = machineCredentials
